namespace MakeShadMini.Texts;

/// <summary>Words by kind, written for the pre-training text. The demo corpus has lists of its own.</summary>
internal static class WordLists
{
    public static readonly string[] FirstNames = Split("""
        Anna Boris Clara David Elena Felix Grace Henry Irene Jonas Karen Louis Maria Nathan Olivia Peter Quinn Rosa Samuel Teresa
        Ulrich Vera William Xenia Yusuf Zara Adam Beatrice Carlos Diana Edgar Fiona George Hannah Ivan Julia Kevin Laura Marcus Nina
        Oscar Paula Ralph Sofia Thomas Ursula Victor Wendy Arthur Bella Conrad Dora Emil Frieda Gustav Helga Igor Judith Kurt Lydia
        Martin Nora Otto Pia Robert Stella Tobias Valerie Walter Agnes Bruno Celia Dennis Esther Frank Greta Hugo Ingrid Jacob Kira
        Leon Mona Niklas Olga Patrick Ruth Simon Tanja Vincent Wanda Amir Bina Chen Dalia Emre Farid Gita Hiro Imani Jamal Keiko
        Liang Mei Noor Omar Priya Ravi Sanjay Tariq Uma Wei Yara Zoe Alan Betty Craig Donna Eric Gina Harold Isla Jack Kelly Luke
        """);

    public static readonly string[] LastNames = Split("""
        Abbott Becker Carter Dalton Ellis Fischer Garcia Hoffman Ibrahim Jensen Keller Lopez Miller Novak Olsen Parker Quigley Russo
        Sato Turner Underwood Vogel Weber Young Zimmer Adler Brandt Cohen Duarte Evans Foster Graham Hughes Iverson Jacobs Klein
        Lambert Moreno Nolan Ortega Peters Rossi Schmidt Tanaka Urban Vargas Wagner Yamada Ziegler Allen Brooks Chang Diaz Edwards
        Flores Gomez Harris Ito Johnson Kumar Larsen Martinez Nguyen Owens Patel Reed Silva Taylor Ueda Vance Walker Xu Yates Zhang
        Barnes Coleman Dawson Fletcher Gibson Holmes Jordan Knight Lawson Mason Norris Porter Ramsey Stone Thornton Webb Wright
        """);

    public static readonly string[] Cities = Split("""
        Lisbon Madrid Paris Berlin Vienna Prague Warsaw Oslo Stockholm Helsinki Dublin London Rome Milan Athens Cairo Nairobi Lagos
        Accra Tunis Dakar Delhi Mumbai Kolkata Dhaka Bangkok Hanoi Manila Jakarta Seoul Tokyo Osaka Kyoto Beijing Shanghai Sydney
        Perth Auckland Boston Chicago Dallas Denver Detroit Houston Miami Phoenix Portland Seattle Toronto Montreal Vancouver Lima
        Bogota Quito Santiago Caracas Havana Panama Brussels Geneva Zurich Munich Hamburg Cologne Leipzig Dresden Krakow Budapest
        Belgrade Sofia Bucharest Istanbul Ankara Tehran Dubai Riyadh Doha Muscat Karachi Lahore Kabul Tbilisi Yerevan Baku Riga
        Vilnius Tallinn Minsk Kyiv Naples Turin Venice Genoa Porto Seville Valencia Bilbao Lyon Nantes Lille Bordeaux
        """);

    public static readonly string[] Things = Split("""
        lamp chair table carpet mirror bottle basket hammer ladder bucket candle pillow blanket curtain drawer shelf cabinet bicycle
        helmet jacket sweater trousers gloves scarf boots sandals umbrella suitcase backpack wallet purse ring necklace watch camera
        printer keyboard monitor laptop tablet phone charger cable speaker radio piano guitar violin drum trumpet flute book novel
        atlas diary magazine poster painting statue vase clock kettle toaster oven fridge freezer blender mixer plate bowl fork knife
        spoon glass cup mug jug tray apple pear peach plum cherry lemon orange banana grape melon carrot potato tomato onion garlic
        pepper cabbage spinach lettuce bread butter cheese yogurt milk coffee tea juice honey sugar salt flour rice pasta soup salad
        engine wheel brake mirror window door roof floor wall garden fence gate bridge tunnel tower castle church museum theatre
        cinema library school hospital hotel market station airport harbour island mountain valley river lake forest desert beach
        """);

    public static readonly string[] Qualities = Split("""
        red blue green yellow purple orange brown black white grey silver golden small large tiny huge narrow wide short tall heavy
        light bright dark quiet loud soft hard smooth rough warm cold fresh dry wet old new modern ancient simple complex cheap
        expensive rare common gentle brave clever curious eager famous friendly generous happy honest humble jolly kind lively lucky
        noble patient polite proud quick rapid secret serious shy silent steady strong sturdy sweet swift tidy vivid wise young
        """);

    public static readonly string[] Verbs = Split("""
        find search list show open close create delete update move copy send receive book cancel order buy sell rent hire pay
        transfer convert translate summarize count measure compare sort filter merge split check verify approve reject schedule
        plan track monitor record play pause start stop reset backup restore upload download print scan paint repair clean wash
        cook bake deliver collect assign invite remind notify report predict estimate calculate compute plot draw render compile
        test deploy install remove rename archive share publish subscribe rate review register enroll export import fetch load save
        """);

    public static readonly string[] Objects = Split("""
        account invoice ticket flight hotel room table train taxi parcel message email letter note file folder image video song
        playlist photo report document contract task project meeting event calendar reminder alarm contact customer order product
        price stock budget payment loan salary tax recipe meal diet workout route map weather forecast news article comment score
        match team player league course lesson exam grade student teacher patient doctor appointment prescription device sensor
        camera light thermostat lock server database table backup log error user group role password token branch issue release
        """);

    public static readonly string[] Keys = Split("""
        name city date time place owner color size weight price amount count total start end from to title subject author editor
        topic category status level priority score rating language currency country region street email phone code id number unit
        width height depth length speed duration format mode type kind label tag note reason source target origin destination guest
        driver pilot doctor teacher student customer manager sender receiver item product brand model material flavor season year
        month day hour room floor seat gate platform table folder file path host port user group team league player coach venue
        """);

    public static readonly string[] Domains = Split("mail post web hub net cloud labs works store desk home office garden studio");

    public static readonly string[] Months = Split(
        "January February March April May June July August September October November December");

    public static readonly string[] Connectives = Split(
        "because although while before after when since until unless where whether so and but then also later finally however");

    private static string[] Split(string text) =>
        text.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries).Distinct().ToArray();
}
