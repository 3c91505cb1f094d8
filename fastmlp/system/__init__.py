"""The processor, threads, memory and files, as the operating system has them."""
