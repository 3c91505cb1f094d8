"""The processor, threads, memory and files of the operating system."""
