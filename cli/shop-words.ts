/** What the demo's shop is made of. Every name is invented; the telephone numbers are of ranges reserved for fiction. */
export const GIVEN_NAMES =
  "Ada Aisha Amélie Anders Anouk Astrid Beatriz Björn Carlos Chiara Chloé Daniel Dmitri Elif Emma Fatima Felix Freya Gabriel Greta Hana Hugo Ingrid Ivan Jana Jasper João Kaito Karin Lars Leila Liam Lucía Łukasz Maja Marco Mateo Mei Mila Mohammed Nadia Niamh Noah Olga Oskar Paolo Priya Rafael Rosa Ruth Samuel Sara Sofia Søren Tariq Thea Tomás Uma Viktor Wanda Xavier Yara Yusuf Zoë".split(
    " ",
  );

export const FAMILY_NAMES =
  "Abbott Almeida Andersen Bakker Baumann Bianchi Brandt Brennan Castillo Chowdhury Costa Dahl Demir Diallo Dubois Eriksson Fernández Fischer Fontaine Garcia Giordano Grünwald Haddad Hansen Hoffmann Horvat Ibrahim Ivanova Jansen Jensen Kaminski Keller Kowalska Krüger Larsen Leclerc Lindqvist Lopez Marković Martin Mendes Moreau Müller Nakamura Nielsen Novák O'Brien Okafor Olsen Park Patel Petrov Quinn Ricci Rossi Santos Schäfer Schmidt Silva Sørensen Tanaka Torres Ueda Varga Vogel Walsh Weber Wójcik Yilmaz Zimmermann".split(
    " ",
  );

/** City, the postcode's first digits, country. */
export const CITIES: readonly (readonly [string, string, string])[] = [
  ["Amsterdam", "10", "NL"],
  ["Barcelona", "080", "ES"],
  ["Berlin", "101", "DE"],
  ["Dublin", "D0", "IE"],
  ["Hamburg", "204", "DE"],
  ["København", "21", "DK"],
  ["Kraków", "31-", "PL"],
  ["Lisboa", "12", "PT"],
  ["London", "SE1 ", "GB"],
  ["Lyon", "690", "FR"],
  ["München", "805", "DE"],
  ["Milano", "201", "IT"],
  ["Paris", "750", "FR"],
  ["Stockholm", "113 ", "SE"],
  ["Wien", "10", "AT"],
];

export const STREETS =
  "Alder Birch Castle Cedar Chapel Church Elm Garden Harbour High Hill Lake Lime Market Meadow Mill North Oak Orchard Park Queen River School Station Temple Victoria Water Willow".split(
    " ",
  );

/** Fictional numbers: Ofcom's and the Bundesnetzagentur's ranges for drama, and 555-01xx. The x are digits to fill. */
export const PHONES = ["+447700900xxx", "+493023125xxx", "+12025550xxx".replace("0xxx", "01xx"), "+441632960xxx"];

/** A category, and the things that it sells. */
export const CATALOGUE: Readonly<Record<string, readonly string[]>> = {
  Kitchen: ["kettle", "pan", "chopping board", "mixing bowl", "knife", "teapot"],
  Dining: ["plate", "carafe", "napkin set", "salad bowl", "tumbler"],
  Lighting: ["desk lamp", "floor lamp", "pendant", "candle holder"],
  Textiles: ["blanket", "cushion", "rug", "towel", "curtain"],
  Storage: ["basket", "shelf", "hook rail", "box", "coat stand"],
  Garden: ["planter", "watering can", "lantern", "bench", "bird house"],
  Office: ["notebook", "pen tray", "monitor stand", "paper bin"],
  Bath: ["soap dish", "mirror", "laundry bag", "stool"],
};

export const HARD_MATERIALS = "oak ash steel brass glass cork ceramic enamel marble".split(" ");
export const SOFT_MATERIALS = "linen wool cotton jute".split(" ");
export const COLOURS = "black white sand olive navy rust grey mustard".split(" ");
export const TITLES = ["Warehouse associate", "Support agent", "Buyer", "Software engineer", "Accountant", "Designer"];
