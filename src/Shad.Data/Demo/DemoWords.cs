namespace Shad.Data.Demo;

/// <summary>
/// The words demo samples are made of. No word is in two lists and none is in a response template, so that within a response a
/// specific word can only have come from the prompt.
/// </summary>
internal static class DemoWords
{
    public static readonly string[] FirstNames = Split(
        """
        Mara Lena Tomas Priya Anders Yuki Omar Greta Felix Nadia Hugo Ingrid Marco Salma Viktor Elena Rashid Birgit Pavel Amara
        Jonas Keiko Diego Freya Samir Lucia Oskar Mina Rafael Zofia Kofi Helga Bruno Anika Cyrus Delia Emil Farah Gustav Hana
        Igor Jolanda Karim Leonie Malik Noemi Otto Petra Quentin Rosa Stefan Talia Ulrich Vera Wendel Xenia Yara Zoltan Abel
        Bettina Casper Dorthe Elias Fatima Gideon Hedda Ivo Jasmin Kasimir Lorena Matteo Nils Oriana Philippa Ramona Sven Theo
        Ursula Valentin Wanda Agnes Boris Clara Dmitri Esther Fabio Gloria Henrik Isolde Jakob Katrin Ludwig Mirela Norbert
        Odette Piotr Rebekah Silvan Tamsin Uma
        """);

    public static readonly string[] LastNames = Split(
        """
        Olsen Ortiz Novak Sharma Lindqvist Tanaka Haddad Becker Moreau Petrov Castillo Berg Rossi Mansour Kovac Popescu Farouk
        Schneider Dvorak Okafor Nakamura Herrera Nilsen Khalil Bianchi Lund Rahimi Santos Wojcik Mensah Brandt Ferrari Iyer
        Daniels Larsen Quispe Hassan Engel Sato Volkov Meijer Aziz Keller Romano Vasquez Jensen Huber Torres Ahmadi Fischer
        Lombardi Nguyen Peralta Sandberg Toth Urquhart Valdez Whitlock Yilmaz Zeller Abbott Barros Corbett Dalton Eriksen
        Fontaine Gallagher Hartmann Ivarsson Jankowski Kruger Lefevre Madsen Norwood Ostrow Pacheco Ramsey Sorensen Thackeray
        Vickers Weaver Abrams Bartok Calloway Delgado Ekstrand Fairfax Grimaldi Holloway Ibarra Jacobsen Kaufman Lockhart
        Morozov Navarro Oyelaran Prescott Radcliffe Stroud Tolbert
        """);

    public static readonly string[] Cities = Split(
        """
        Porto Oslo Lima Quito Turin Ghent Basel Tallinn Bergen Nairobi Osaka Busan Hanoi Cusco Tunis Leeds Malmo Riga Izmir Dakar
        Perth Calgary Denver Tucson Boise Memphis Tampa Lyon Nantes Bilbao Seville Bologna Genoa Krakow Gdansk Vilnius Zagreb
        Athens Cairo Accra Lagos Kigali Lusaka Muscat Doha Jaipur Pune Kochi Colombo Jakarta Manila Taipei Sapporo Nagoya Kyoto
        Darwin Hobart Dunedin Suva Havana Bogota Recife Rosario Cordoba Valencia Malaga Antwerp Utrecht Bremen Leipzig Graz Bern
        Aarhus Tromso Uppsala Tampere Dublin Cardiff Bristol Glasgow York Durham
        """);

    public static readonly string[] Colours = Split(
        """
        crimson teal amber ivory maroon turquoise scarlet navy beige olive coral mustard charcoal indigo magenta emerald silver
        burgundy khaki mauve ochre cobalt vermilion sepia aqua fuchsia taupe cerise umber azure russet violet
        """);

    public static readonly string[] Foods = Split(
        """
        lentils dumplings pancakes risotto goulash paella ravioli gnocchi falafel hummus couscous tofu spinach broccoli mushrooms
        asparagus artichokes pumpkin cabbage carrots turnips radishes beetroot salmon trout herring sardines lobster shrimp
        mussels brisket sausages meatballs turkey chicken quiche omelette porridge granola yogurt cheddar gouda feta walnuts
        almonds pistachios raisins figs apricots mangoes papaya cherries blueberries rhubarb gingerbread brownies waffles
        marzipan chocolate toffee custard
        """);

    public static readonly string[] Materials = Split(
        """
        oak bamboo granite marble slate leather velvet linen cotton wool silk denim canvas felt brass bronze pewter titanium steel
        aluminium zinc plaster concrete ceramic porcelain glass crystal rubber plywood mahogany teak ebony wicker rattan
        cardboard parchment nylon suede fleece satin quartz limestone terracotta enamel acrylic
        """);

    public static readonly string[] Objects = Split(
        """
        kettle desk bench stool wardrobe dresser bookshelf mirror curtain carpet pillow blanket mattress hammock umbrella backpack
        wallet satchel suitcase helmet gloves scarf jacket sweater apron boots sandals slippers compass binoculars telescope
        microscope tripod camera headphones speaker keyboard monitor printer projector tablet charger drill hammer chisel ladder
        shovel rake wheelbarrow bucket teapot skillet saucepan grater whisk blender toaster vase candlestick clock barometer
        chessboard puzzle kite
        """);

    public static readonly string[] Themes = Split(
        """
        harvest lantern village regional charity student alumni coastal alpine maritime medieval jazz opera poetry film robotics
        astronomy chess cycling rowing fencing archery sailing gardening pottery weaving photography science history chemistry
        beekeeping railway aviation veterans neighbourhood midsummer lunar solar royal municipal
        """);

    public static readonly string[] Events = Split(
        """
        festival fair parade gala concert workshop conference exhibition tournament auction picnic banquet ceremony reunion
        retreat seminar marathon regatta symposium carnival premiere summit fundraiser rehearsal inauguration bazaar congress
        lecture excursion anniversary
        """);

    public static readonly string[] Qualities = Split(
        """
        quiet cheap sturdy elegant cheerful modest durable compact portable reliable gentle bright spacious cosy rustic modern
        festive formal casual discreet lively fancy practical affordable luxurious traditional unusual playful serious tidy
        colourful plain soft firm light heavy flexible waterproof fireproof handmade organic seasonal local foreign vintage
        futuristic romantic dramatic peaceful energetic thorough careful precise robust slim narrow wide tall warm cool fresh
        crisp mellow bold subtle graceful humble clever honest patient generous friendly polite daring steady brisk spontaneous
        secure private central remote sunny shady
        """);

    public static readonly string[] Companies = Split(
        """
        Northgate Bluefin Brightwell Fernhill Redstone Silvercrest Ironwood Stonebridge Westmark Clearwater Oakridge Highfield
        Goldleaf Rivermont Summitline Quickstep Harborview Windmere Ashford Greenlight Pinecrest Moonrise Copperfield Thornbury
        Wavecrest Sunfield Marlowe Vantage Zenith Apex Borealis Candela Dynamo Equinox Frontier Gemini Horizon Isotope Jubilee
        Keystone Lodestar Meridian Nimbus Orbit Pinnacle Quasar Rampart Solstice Tangent Umbra Vertex Wayfarer Xylon Zephyr
        """);

    public static readonly string[] Animals = Split(
        """
        badger otter falcon heron walrus panther leopard giraffe zebra kangaroo koala penguin pelican ostrich flamingo parrot
        canary sparrow magpie raven eagle tortoise iguana gecko cobra python alligator dolphin porpoise seahorse jellyfish octopus
        hamster ferret beagle poodle spaniel greyhound pony donkey camel llama bison moose reindeer hedgehog
        """);

    public static readonly string[] Plants = Split(
        """
        maple willow poplar cypress juniper hawthorn chestnut linden sycamore magnolia tulip orchid daffodil marigold peony
        dahlia begonia jasmine hydrangea geranium petunia primrose snowdrop bluebell foxglove larkspur lupin thistle clover fern
        cactus bonsai lotus sunflower chrysanthemum carnation gardenia camellia
        """);

    public static readonly string[] Languages = Split(
        """
        Danish Finnish Swahili Korean Portuguese Hungarian Catalan Welsh Icelandic Turkish Persian Urdu Bengali Tamil Vietnamese
        Estonian Latvian Croatian Slovak Basque Maltese Georgian Armenian Somali Zulu Mongolian Nepali
        """);

    public static readonly string[] Instruments = Split(
        """
        violin cello trumpet clarinet oboe bassoon trombone tuba harp mandolin banjo accordion saxophone piccolo marimba
        xylophone ukulele harpsichord piano drums bagpipes zither sitar lute flute
        """);

    public static readonly string[] Sports = Split(
        """
        hockey badminton volleyball handball cricket curling judo lacrosse squash snooker tennis rugby surfing skiing wrestling
        karate baseball softball billiards bowling
        """);

    public static readonly string[] Professions = Split(
        """
        electrician mason tailor baker butcher barber chemist geologist botanist translator interpreter accountant notary lawyer
        pilot sailor farmer shepherd welder glazier upholsterer sculptor illustrator choreographer conductor paramedic midwife
        veterinarian optician astronomer economist journalist locksmith roofer gardener plumber carpenter surgeon dentist florist
        """);

    public static readonly string[] StreetNames = Split(
        """
        Tanner Miller Cooper Chapel Abbey Priory Castle Market Meadow Brook Church Station Windmill Quarry Forge Anvil Falconer
        Sexton Weir Beacon Cathedral Convent Foundry Kings Queens Regent Viceroy Monument Obelisk Pavilion Crescent Granary
        Smithy Vicarage Toll Drawbridge Rectory Almshouse Bishop Chancellor
        """);

    public static readonly string[] StreetKinds = Split("Lane Street Road Avenue Square Row");

    public static readonly string[] Months =
        Split("January February March April May June July August September October November December");

    public static readonly string[] Weekdays = Split("Monday Tuesday Wednesday Thursday Friday Saturday Sunday");

    public static readonly string[] Domains = Split("org net com eu");

    /// <summary>What functions do; with one of <see cref="Things"/> it makes a function's name.</summary>
    public static readonly string[] Actions = Split(
        """
        reserve cancel track inspect archive compare export approve schedule assign rename duplicate measure translate forward
        restock refund audit publish scan merge restore unlock recycle deliver collect repair register evaluate update
        locate order price ship pack encrypt preview summarize calibrate convert renew verify upload transfer suspend replace
        rotate sketch polish
        """);

    /// <summary>What functions do it to.</summary>
    public static readonly string[] Things = Split(
        """
        pallet invoice ticket voucher warehouse greenhouse vineyard orchard ferry tram bicycle scooter trailer container parcel
        envelope letter manuscript brochure poster leaflet catalogue playlist podcast video painting statue fountain chimney
        elevator escalator corridor cellar balcony terrace garage apartment cottage cabin hostel campsite gym pool sauna laundry
        bakery pharmacy library museum theatre stadium harbour airport bridge tunnel canal reservoir turbine generator battery
        engine gearbox sensor antenna router server firewall domain subscription membership pension mortgage loan grant
        scholarship salary payroll timesheet contract warranty certificate passport visa
        """);

    private static string[] Split(string words) =>
        words.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries);
}
