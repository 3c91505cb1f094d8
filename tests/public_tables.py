"""Tables that tutorials use: the first rows in the spelling of the original files, and what is to be read in them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Public:
    """The beginning of a public file.

    kinds has a letter for each column that is read: (n)umber, (i)nteger, (b)ool, (t)ext, (d)ate. header=False: the file
    has no header, so that it is refused without `header=False`, and its columns are called 0, 1, .... notes: words of
    what is said. encoding: how the text is written.
    """

    name: str
    target: str
    kinds: str
    text: str
    header: bool = True
    notes: str = ""
    encoding: str = "utf-8"


HEADER = [
    Public(
        "iris.csv",
        "species",
        "nnnnt",
        "sepal_length,sepal_width,petal_length,petal_width,species\n5.1,3.5,1.4,0.2,setosa\n4.9,3.0,1.4,0.2,setosa\n"
        "7.0,3.2,4.7,1.4,versicolor\n6.4,3.2,4.5,1.5,versicolor\n6.3,3.3,6.0,2.5,virginica\n5.8,"
        "2.7,5.1,1.9,virginica\n",
    ),
    Public(
        "iris-R.csv",
        "Species",
        "nnnnt",
        '"","Sepal.Length","Sepal.Width","Petal.Length","Petal.Width","Species"\n"1",5.1,3.5,1.4,0.2,"setosa"\n'
        '"2",4.9,3,1.4,0.2,"setosa"\n"51",7,3.2,4.7,1.4,"versicolor"\n"52",6.4,3.2,4.5,1.5,"versicolor"\n'
        '"101",6.3,3.3,6,2.5,"virginica"\n',
        notes="left out the first column",
    ),
    Public(
        "Iris.csv",
        "Species",
        "innnnt",
        "Id,SepalLengthCm,SepalWidthCm,PetalLengthCm,PetalWidthCm,Species\n1,5.1,3.5,1.4,0.2,Iris-setosa\n"
        "2,4.9,3.0,1.4,0.2,Iris-setosa\n51,7.0,3.2,4.7,1.4,Iris-versicolor\n101,6.3,3.3,6.0,2.5,Iris-virginica\n",
    ),
    Public(
        "penguins.csv",
        "species",
        "ttnniit",
        "species,island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex\n"
        "Adelie,Torgersen,39.1,18.7,181,3750,MALE\nAdelie,Torgersen,39.5,17.4,186,3800,FEMALE\n"
        "Adelie,Torgersen,40.3,18,195,3250,FEMALE\nAdelie,Torgersen,,,,,\nAdelie,Torgersen,36.7,19.3,193,3450,FEMALE\n"
        "Chinstrap,Dream,46.5,17.9,192,3500,FEMALE\nGentoo,Biscoe,46.1,13.2,211,4500,FEMALE\n",
    ),
    Public(
        "titanic.csv",
        "survived",
        "iitniintttbtttb",
        "survived,pclass,sex,age,sibsp,parch,fare,embarked,class,who,adult_male,deck,embark_town,alive,alone\n"
        "0,3,male,22.0,1,0,7.25,S,Third,man,True,,Southampton,no,False\n"
        "1,1,female,38.0,1,0,71.2833,C,First,woman,False,C,Cherbourg,yes,False\n"
        "1,3,female,26.0,0,0,7.925,S,Third,woman,False,,Southampton,yes,True\n"
        "0,3,male,,0,0,8.4583,Q,Third,man,True,,Queenstown,no,True\n"
        "1,3,male,0.83,0,1,12.475,S,Third,child,False,,Southampton,yes,False\n",
    ),
    Public(
        "train-titanic.csv",
        "Survived",
        "iiittniitntt",
        "PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked\n"
        '1,0,3,"Braund, Mr. Owen Harris",male,22,1,0,A/5 21171,7.25,,S\n'
        '2,1,1,"Cumings, Mrs. John Bradley (Florence Briggs Thayer)",female,38,1,0,PC 17599,71.2833,C85,C\n'
        '3,1,3,"Heikkinen, Miss. Laina",female,26,0,0,STON/O2. 3101282,7.925,,S\n'
        '6,0,3,"Moran, Mr. James",male,,0,0,330877,8.4583,,Q\n'
        '23,1,3,"McGowan, Miss. Anna ""Annie""",female,14.5,0,0,330923,8.0292,,Q\n',
    ),
    Public(
        "adult.csv",
        "income",
        "itititttttiiitt",
        "age,workclass,fnlwgt,education,education.num,marital.status,occupation,relationship,race,sex,capital.gain,"
        "capital.loss,hours.per.week,native.country,income\n"
        "90,?,77053,HS-grad,9,Widowed,?,Not-in-family,White,Female,0,4356,40,United-States,<=50K\n"
        "82,Private,132870,HS-grad,9,Widowed,Exec-managerial,Not-in-family,White,Female,0,4356,18,United-States,<=50K\n"
        "41,Private,70037,Some-college,10,Never-married,Craft-repair,Unmarried,White,Male,0,3004,60,?,>50K\n",
    ),
    Public(
        "winequality-red.csv",
        "quality",
        "nnnnniinnnni",
        '"fixed acidity";"volatile acidity";"citric acid";"residual sugar";"chlorides";"free sulfur dioxide";'
        '"total sulfur dioxide";"density";"pH";"sulphates";"alcohol";"quality"\n'
        "7.4;0.7;0;1.9;0.076;11;34;0.9978;3.51;0.56;9.4;5\n7.8;0.88;0;2.6;0.098;25;67;0.9968;3.2;0.68;9.8;5\n"
        "11.2;0.28;0.56;1.9;0.075;17;60;0.998;3.16;0.58;9.8;6\n",
    ),
    Public(
        "housing.csv",
        "median_house_value",
        "nnnnnnnnnt",
        "longitude,latitude,housing_median_age,total_rooms,total_bedrooms,population,households,median_income,"
        "median_house_value,ocean_proximity\n"
        "-122.23,37.88,41.0,880.0,129.0,322.0,126.0,8.3252,452600.0,NEAR BAY\n"
        "-122.22,37.86,21.0,7099.0,1106.0,2401.0,1138.0,8.3014,358500.0,NEAR BAY\n"
        "-121.97,37.76,26.0,5.5,129.5,3.5,1.5,8.1,1.5,INLAND\n",
    ),
    Public(
        "BostonHousing.csv",
        "medv",
        "nnninnnniinnnn",
        '"crim","zn","indus","chas","nox","rm","age","dis","rad","tax","ptratio","b","lstat","medv"\n'
        '0.00632,18,2.31,"0",0.538,6.575,65.2,4.09,1,296,15.3,396.9,4.98,24\n'
        '0.02731,0,7.07,"0",0.469,6.421,78.9,4.9671,2,242,17.8,396.9,9.14,21.6\n'
        '0.08829,12.5,7.87,"0",0.524,6.012,66.6,5.5605,5,311,15.2,395.6,12.43,22.9\n',
    ),
    Public(
        "diamonds.csv",
        "price",
        "ntttnninnn",
        '"","carat","cut","color","clarity","depth","table","price","x","y","z"\n'
        '"1",0.23,"Ideal","E","SI2",61.5,55,326,3.95,3.98,2.43\n"2",0.21,"Premium","E","SI1",59.8,'
        "61,326,3.89,3.84,2.31\n"
        '"3",0.23,"Good","E","VS1",56.9,65.5,327,4.05,4.07,2.31\n',
        notes="left out the first column",
    ),
    Public(
        "diabetes.csv",
        "Outcome",
        "iiiiinnii",
        "Pregnancies,Glucose,BloodPressure,SkinThickness,Insulin,BMI,DiabetesPedigreeFunction,Age,Outcome\n"
        "6,148,72,35,0,33.6,0.627,50,1\n1,85,66,29,0,26.6,0.351,31,0\n8,183,64,0,0,23.3,0.672,32,1\n",
    ),
    Public(
        "mushrooms.csv",
        "class",
        "t" * 8,
        "class,cap-shape,cap-surface,cap-color,bruises,odor,stalk-root,habitat\n"
        "p,x,s,n,t,p,e,u\ne,x,s,y,t,a,c,g\ne,b,s,w,t,l,c,m\np,x,y,w,t,p,?,u\n",
    ),
    Public(
        "mpg.csv",
        "mpg",
        "niniinitt",
        "mpg,cylinders,displacement,horsepower,weight,acceleration,model_year,origin,name\n"
        "18.0,8,307.5,130.0,3504,12.0,70,usa,chevrolet chevelle malibu\n15.0,8,350.0,165.0,3693,"
        "11.5,70,usa,buick skylark 320\n"
        "25.0,4,98.0,,2046,19.0,71,usa,ford pinto\n24.5,4,113.0,95.0,2372,15.0,70,japan,toyota corona mark ii\n",
    ),
    Public(
        "auto-mpg.csv",
        "mpg",
        "niiiiniit",
        "mpg,cylinders,displacement,horsepower,weight,acceleration,model year,origin,car name\n"
        "18,8,307,130,3504,12,70,1,chevrolet chevelle malibu\n25,4,98,?,2046,19,71,1,ford pinto\n"
        "14.5,8,351,152,4215,12.8,76,1,ford gran torino\n",
    ),
    Public(
        "day.csv",
        "cnt",
        "idiiiiiiinnnniii",
        "instant,dteday,season,yr,mnth,holiday,weekday,workingday,weathersit,temp,atemp,hum,"
        "windspeed,casual,registered,cnt\n"
        "1,2011-01-01,1,0,1,0,6,0,2,0.344167,0.363625,0.805833,0.160446,331,654,985\n"
        "2,2011-01-02,1,0,1,0,0,0,2,0.363478,0.353739,0.696087,0.248539,131,670,801\n",
    ),
    Public(
        "train-bikes.csv",
        "count",
        "diiiinniniii",
        "datetime,season,holiday,workingday,weather,temp,atemp,humidity,windspeed,casual,registered,count\n"
        "2011-01-01 00:00:00,1,0,0,1,9.84,14.395,81,0.0,3,13,16\n2011-01-01 01:00:00,1,0,0,1,9.02,"
        "13.635,80,6.0032,8,32,40\n",
    ),
    Public(
        "german_credit_data.csv",
        "Risk",
        "ititttiitt",
        ",Age,Sex,Job,Housing,Saving accounts,Checking account,Credit amount,Duration,Purpose,Risk\n"
        "0,67,male,2,own,NA,little,1169,6,radio/TV,good\n1,22,female,2,own,little,moderate,5951,48,radio/TV,bad\n"
        "2,49,male,1,own,little,NA,2096,12,education,good\n",
        notes="left out the first column",
    ),
    Public(
        "creditcard.csv",
        "Class",
        "innni",
        '"Time","V1","V2","Amount","Class"\n0,-1.3598071336738,-0.0727811733098497,149.62,"0"\n'
        '0,1.19185711131486,0.26615071205963,2.69,"0"\n406,-2.3122265423263,1.95199201064158,0,"1"\n',
    ),
    Public(
        "Churn_Modelling.csv",
        "Exited",
        "iitittiiniiini",
        "RowNumber,CustomerId,Surname,CreditScore,Geography,Gender,Age,Tenure,Balance,NumOfProducts,HasCrCard,"
        "IsActiveMember,EstimatedSalary,Exited\n1,15634602,Hargrave,619,France,Female,42,2,0,1,1,1,101348.88,1\n"
        "2,15647311,Hill,608,Spain,Female,41,1,83807.86,1,0,1,112542.58,0\n",
    ),
    Public(
        "WA_Fn-UseC_-Telco-Customer-Churn.csv",
        "Churn",
        "ttiitinnt",
        "customerID,gender,SeniorCitizen,tenure,Contract,Dependents,MonthlyCharges,TotalCharges,Churn\n"
        "7590-VHVEG,Female,0,1,Month-to-month,0,29.85,29.85,No\n5575-GNVDE,Male,0,34,One year,0,56.95,1889.5,No\n"
        "4472-LVYGI,Female,0,0,Two year,1,52.55, ,No\n3668-QPYBK,Male,0,2,Month-to-month,0,53.85,108.15,Yes\n",
    ),
    Public(
        "wdbc-data.csv",
        "diagnosis",
        "itnnn",
        '"id","diagnosis","radius_mean","texture_mean","fractal_dimension_worst",\n'
        "842302,M,17.99,10.38,0.1189\n842517,M,20.57,17.77,0.08902\n8510426,B,13.54,14.36,0.07259\n",
    ),
    Public(
        "heart.csv",
        "target",
        "iiiiiiiiiniiii",
        "\ufeffage,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,target\n"
        "63,1,3,145,233,1,0,150,0,2.3,0,0,1,1\n37,1,2,130,250,0,1,187,0,3.5,0,0,2,1\n57,0,0,140,"
        "241,0,1,123,1,0.2,1,0,3,0\n",
    ),
    Public(
        "insurance.csv",
        "charges",
        "itnittn",
        "age,sex,bmi,children,smoker,region,charges\n19,female,27.9,0,yes,southwest,16884.924\n"
        "18,male,33.77,1,no,southeast,1725.5523\n28,male,33,3,no,southeast,4449.462\n",
    ),
    Public(
        "Advertising.csv",
        "sales",
        "nnnn",
        ",TV,radio,newspaper,sales\n1,230.1,37.8,69.2,22.1\n2,44.5,39.3,45.1,10.4\n3,17.2,45.9,69.3,9.3\n",
        notes="left out the first column",
    ),
    Public(
        "mtcars.csv",
        "mpg",
        "ninin",
        '"","mpg","cyl","disp","hp","wt"\n"Mazda RX4",21,6,160,110,2.62\n"Datsun 710",22.8,4,108,93,2.32\n'
        '"Hornet 4 Drive",21.4,6,258.5,110,3.215\n',
        notes="left out the first column",
    ),
    Public(
        "mtcars.txt",
        "mpg",
        "ninin",
        '"mpg" "cyl" "disp" "hp" "wt"\n"Mazda RX4" 21 6 160 110 2.62\n"Datsun 710" 22.8 4 108 93 2.32\n'
        '"Hornet 4 Drive" 21.4 6 258.5 110 3.215\n',
        notes="left out the first column",
    ),
    Public(
        "tips.csv",
        "tip",
        "nntttti",
        "total_bill,tip,sex,smoker,day,time,size\n16.99,1.01,Female,No,Sun,Dinner,2\n10.34,1.66,Male,No,Sun,Dinner,3\n"
        "21.01,3.5,Male,No,Sun,Dinner,3\n",
    ),
    Public(
        "Salary_Data.csv",
        "Salary",
        "nn",
        "YearsExperience,Salary\n1.1,39343.00\n1.3,46205.00\n1.5,37731.00\n2.0,43525.00\n",
    ),
    Public(
        "50_Startups.csv",
        "Profit",
        "nnntn",
        "R&D Spend,Administration,Marketing Spend,State,Profit\n165349.2,136897.8,471784.1,New York,192261.83\n"
        "162597.7,151377.59,443898.53,California,191792.06\n153441.51,101145.55,407934.54,Florida,191050.39\n",
    ),
    Public(
        "Social_Network_Ads.csv",
        "Purchased",
        "itiii",
        "User ID,Gender,Age,EstimatedSalary,Purchased\n15624510,Male,19,19000,0\n15810944,Male,35,20000,0\n"
        "15668575,Female,26,43000,0\n15694829,Female,32,150000,1\n",
    ),
    Public(
        "Mall_Customers.csv",
        "Spending Score (1-100)",
        "itiii",
        "CustomerID,Genre,Age,Annual Income (k$),Spending Score (1-100)\n0001,Male,19,15,39\n0002,Male,21,15,81\n"
        "0003,Female,20,16,6\n",
    ),
    Public(
        "Concrete_Data.csv",
        "Concrete compressive strength(MPa, megapascals) ",
        "nnin",
        '"Cement (component 1)(kg in a m^3 mixture)","Superplasticizer (component 5)(kg in a m^3 mixture)","Age (day)",'
        '"Concrete compressive strength(MPa, megapascals) "\n540,2.5,28,79.99\n540.0,2.5,28,61.89\n332.5,0,270,40.27\n',
    ),
    Public(
        "bank-full.csv",
        "y",
        "itttitit",
        '"age";"job";"marital";"default";"balance";"housing";"duration";"y"\n'
        '58;"management";"married";"no";2143;"yes";261;"no"\n44;"technician";"single";"no";29;"yes";151;"no"\n'
        '33;"entrepreneur";"married";"no";2;"yes";76;"yes"\n',
    ),
    Public(
        "kc_house_data.csv",
        "price",
        "idninni",
        "id,date,price,bedrooms,bathrooms,lat,zipcode\n"
        '"7129300520","20141013T000000",221900,3,1,47.5112,"98178"\n"6414100192","20141209T000000",'
        '538000,3,2.25,47.721,"98125"\n'
        '"1000102","20150422T000000",300000.5,6,3,47.3262,"98002"\n',
    ),
    Public(
        "train-houses.csv",
        "SalePrice",
        "iitititti",
        "Id,MSSubClass,MSZoning,LotFrontage,Street,YearBuilt,Alley,GarageType,SalePrice\n"
        "1,60,RL,65,Pave,2003,NA,Attchd,208500\n2,20,RL,80,Pave,1976,NA,Attchd,181500\n8,60,RL,NA,"
        "Pave,1973,Grvl,NA,200000\n",
    ),
    Public(
        "AirQualityUCI.csv",
        "CO(GT)",
        "dtninn",
        "Date;Time;CO(GT);PT08.S1(CO);C6H6(GT);AH;;\n10/03/2004;18.00.00;2,6;1360;11,9;0,7578;;\n"
        "10/03/2004;19.00.00;2;1292;9,4;0,7255;;\n13/03/2004;20.00.00;2,2;1402;9,0;0,7502;;\n",
        notes="commas are read as decimal marks",
    ),
    Public(
        "household_power_consumption.txt",
        "Global_active_power",
        "dtnnn",
        "Date;Time;Global_active_power;Voltage;Sub_metering_3\n16/12/2006;17:24:00;4.216;234.840;17.000\n"
        "16/12/2006;17:25:00;5.360;233.630;16.000\n28/4/2007;00:21:00;?;?;\n28/4/2007;00:22:00;0.374;235.1;0.5\n",
    ),
    Public(
        "student-mat.csv",
        "G3",
        "ttittiii",
        'school;sex;age;address;famsize;absences;G1;G3\n"GP";"F";18;"U";"GT3";6;"5";6\n"GP";"F";17;"U";"GT3";4;"5";6\n'
        '"MS";"M";15;"U";"LE3";10;"7";10\n',
    ),
    Public(
        "energydata_complete.csv",
        "Appliances",
        "diinn",
        '"date","Appliances","lights","T1","RH_1"\n"2016-01-11 17:00:00","60","30","19.89","47.5966666666667"\n'
        '"2016-01-11 17:10:00","60","30","19.89","46.6933333333333"\n',
    ),
    Public(
        "avocado.csv",
        "AveragePrice",
        "dnntit",
        ",Date,AveragePrice,Total Volume,type,year,region\n0,2015-12-27,1.33,64236.62,conventional,2015,Albany\n"
        "1,2015-12-20,1.35,54876.98,conventional,2015,Albany\n2,2015-12-13,0.93,118220.22,organic,2015,Albany\n",
        notes="left out the first column",
    ),
    Public(
        "StudentsPerformance.csv",
        "math score",
        "tttttii",
        '"gender","race/ethnicity","parental level of education","lunch","test preparation course","math score",'
        '"reading score"\n"female","group B","bachelor\'s degree","standard","none","72","72"\n'
        '"female","group C","some college","standard","completed","69","90"\n',
    ),
    Public(
        "healthcare-dataset-stroke-data.csv",
        "stroke",
        "itntnnti",
        "id,gender,age,ever_married,avg_glucose_level,bmi,smoking_status,stroke\n9046,Male,67,Yes,"
        "228.69,36.6,formerly smoked,1\n"
        "51676,Female,61,Yes,202.21,N/A,never smoked,1\n31112,Male,0.8,No,105.92,32.5,Unknown,0\n",
    ),
    Public(
        "mnist_train.csv",
        "label",
        "iiii",
        "label,1x1,1x2,28x28\n5,0,0,0\n0,0,253,0\n4,0,0,7\n",
    ),
    Public(
        "spain.csv",
        "precio",
        "tin",
        "población;año;precio\nMálaga;2019;1250,5\nCórdoba;2020;980,25\nA Coruña;2021;1100,75\n",
        notes="not in UTF-8",
        encoding="cp1252",
    ),
]

NO_HEADER = [
    Public(
        "iris.data",
        "4",
        "nnnnt",
        "5.1,3.5,1.4,0.2,Iris-setosa\n4.9,3.0,1.4,0.2,Iris-setosa\n7.0,3.2,4.7,1.4,Iris-versicolor\n"
        "6.3,3.3,6.0,2.5,Iris-virginica\n\n",
        header=False,
    ),
    Public(
        "wine.data",
        "0",
        "innni",
        "1,14.23,1.71,2.43,1065\n1,13.2,1.78,2.14,1050\n2,12.37,.94,1.36,520\n3,12.86,1.35,2.32,630\n",
        header=False,
    ),
    Public(
        "adult.data",
        "14",
        "itititttttiiitt",
        "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2174, 0, 40, "
        "United-States, <=50K\n"
        "54, ?, 180211, Some-college, 10, Married-civ-spouse, ?, Husband, Asian-Pac-Islander, Male,"
        " 0, 0, 60, South, >50K\n"
        "50, Self-emp-not-inc, 83311, Bachelors, 13, Married-civ-spouse, Exec-managerial, Husband,"
        " White, Male, 0, 0, 13, "
        "United-States, <=50K\n",
        header=False,
    ),
    Public(
        "housing.data",
        "13",
        "nnninnnninnnnn",
        " 0.00632  18.00   2.310  0  0.5380  6.5750  65.20  4.0900   1  296.0  15.30 396.90   4.98  24.00\n"
        " 0.02731   0.00   7.070  0  0.4690  6.4210  78.90  4.9671   2  242.0  17.80 396.90   9.14  21.60\n",
        header=False,
    ),
    Public(
        "abalone.data",
        "8",
        "tnnnnnnni",
        "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\nM,0.35,0.265,0.09,0.2255,0.0995,0.0485,0.07,7\n"
        "F,0.53,0.42,0.135,0.677,0.2565,0.1415,0.21,9\nI,0.33,0.255,0.08,0.205,0.0895,0.0395,0.055,7\n",
        header=False,
    ),
    Public(
        "ionosphere.data",
        "6",
        "iinnnnt",
        "1,0,0.99539,-0.05889,0.85243,0.02306,g\n1,0,1,-0.18829,0.93035,-0.36156,b\n1,0,1,-0.03365,1,0.00485,g\n",
        header=False,
    ),
    Public(
        "sonar.all-data",
        "5",
        "nnnnnt",
        "0.0200,0.0371,0.0428,0.0207,0.0954,R\n0.0453,0.0523,0.0843,0.0689,0.1183,R\n0.0491,0.0279,"
        "0.0592,0.1270,0.1772,M\n",
        header=False,
    ),
    Public(
        "pima-indians-diabetes.data.csv",
        "8",
        "iiiiinnii",
        "6,148,72,35,0,33.6,0.627,50,1\n1,85,66,29,0,26.6,0.351,31,0\n8,183,64,0,0,23.3,0.672,32,1\n",
        header=False,
    ),
    Public(
        "agaricus-lepiota.data",
        "0",
        "tttttttt",
        "p,x,s,n,t,p,f,c\ne,x,s,y,t,a,f,c\ne,b,s,w,t,l,f,c\np,x,y,w,t,p,f,c\n",
        header=False,
    ),
    Public(
        "auto-mpg.data",
        "0",
        "ninnnniit",
        '18.0   8   307.0      130.0      3504.      12.0   70  1\t"chevrolet chevelle malibu"\n'
        '15.0   8   350.0      165.0      3693.      11.5   70  1\t"buick skylark 320"\n'
        '25.0   4   98.00      ?          2046.      19.0   71  1\t"ford pinto"\n'
        '26.5   4   97.50      46.50      1835.      20.5   70  2\t"volkswagen 1131 deluxe sedan"\n',
        header=False,
    ),
    Public(
        "german.data",
        "20",
        "tittittitttittitititi",
        "A11 6 A34 A43 1169 A65 A75 4 A93 A101 A121 67 A143 A152 2 A173 1 A192 1 A201 1\n"
        "A12 48 A32 A43 5951 A61 A73 2 A92 A101 A121 22 A143 A152 1 A173 1 A191 1 A201 2\n",
        header=False,
    ),
    Public(
        "breast-cancer-wisconsin.data",
        "10",
        "iiiiiiiiiii",
        "1000025,5,1,1,1,2,1,3,1,1,2\n1002945,5,4,4,5,7,10,3,2,1,2\n1057013,8,4,5,1,2,?,7,3,1,"
        "4\n1096800,6,6,6,9,6,?,7,8,1,2\n",
        header=False,
    ),
    Public(
        "wdbc.data",
        "1",
        "itnnnn",
        "842302,M,17.99,10.38,122.8,1001.5\n842517,M,20.57,17.77,132.9,1326.1\n8510426,B,13.54,14.36,87.46,566.3\n",
        header=False,
    ),
    Public(
        "processed.cleveland.data",
        "13",
        "nnnnnnnnnnniii",
        "63.0,1.0,1.0,145.0,233.0,1.0,2.0,150.0,0.0,2.3,3.0,0.0,6.0,0\n"
        "67.0,1.0,4.0,160.0,286.0,0.0,2.0,108.0,1.0,1.5,2.0,?,3.0,2\n52.0,1.0,3.0,138.0,223.0,0.0,"
        "0.0,169.0,0.0,0.0,1.0,?,?,0\n",
        header=False,
    ),
    Public(
        "data_banknote_authentication.txt",
        "4",
        "nnnni",
        "3.6216,8.6661,-2.8073,-0.44699,0\n4.5459,8.1674,-2.4586,-1.4621,0\n-1.3971,3.3191,-1.3927,-1.9948,1\n",
        header=False,
    ),
    Public(
        "seeds_dataset.txt",
        "7",
        "nnnnnnni",
        "15.26\t14.84\t0.871\t5.763\t3.312\t2.221\t5.22\t1\n14.88\t14.57\t0.8811\t5.554\t3.333\t1.018\t4.956\t1\n"
        "14.7\t14.21\t0.9153\t5.205\t3.466\t1.767\t4.649\t\t2\n",
        header=False,
    ),
    Public(
        "yacht_hydrodynamics.data",
        "6",
        "nnnnnnn",
        "-2.3 0.568 4.78 3.99 3.17 0.125 0.11 \n-2.3 0.568 4.78 3.99 3.17 0.150 0.27 \n\n-5 0.565 "
        "4.77 3.99 3.15 0.45 62.42\n",
        header=False,
    ),
    Public(
        "airfoil_self_noise.dat",
        "5",
        "innnnn",
        "800\t0\t0.3048\t71.3\t0.00266337\t126.201\n1000\t0.5\t0.3048\t71.3\t0.00266337\t125.201\n",
        header=False,
    ),
    Public(
        "car.data",
        "6",
        "ttiittt",
        "vhigh,vhigh,2,2,small,low,unacc\nvhigh,vhigh,2,4,small,med,unacc\nlow,low,4,4,big,high,vgood\n",
        header=False,
    ),
    Public("haberman.csv", "3", "iiii", "30,64,1,1\n30,62,3,1\n30,65,0,1\n34,59,0,2\n", header=False),
    Public(
        "glass.data",
        "6",
        "innnnii",
        "1,1.52101,13.64,4.49,1.10,0,1\n2,1.51761,13.89,3.60,1.36,0,1\n3,1.51618,13.53,3.55,1.54,0,2\n",
        header=False,
    ),
    Public(
        "spambase.data",
        "4",
        "nnnii",
        "0,0.64,3.756,61,1\n0.21,0.28,5.114,101,1\n0,0,1.3,15,0\n",
        header=False,
    ),
    Public(
        "letter-recognition.data",
        "0",
        "tiiii",
        "T,2,8,3,5\nI,5,12,3,7\nD,4,11,6,8\nN,7,11,6,6\n",
        header=False,
    ),
    Public(
        "balance-scale.data",
        "0",
        "tiiii",
        "B,1,1,1,1\nR,1,1,1,2\nR,1,1,1,3\nL,5,5,5,1\n",
        header=False,
    ),
    Public(
        "tic-tac-toe.data",
        "9",
        "tttttttttt",
        "x,x,x,x,o,o,x,o,o,positive\nx,x,x,x,o,o,o,x,o,positive\no,x,x,b,o,x,x,o,o,negative\n",
        header=False,
    ),
]

TABLES = [*HEADER, *NO_HEADER]
