// Writes vectors.json: what JavaScript makes of numbers, texts and documents, and what a receiver then computes.
//   node tests/unit/webhooks/vectors.mjs > tests/unit/webhooks/vectors.json
import { createHmac } from "node:crypto";

const view = new DataView(new ArrayBuffer(8));
let seed = 12345;
const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;

const chosen = [
  0, -0, 1, -1, 12.0, 0.1, 0.2, 0.1 + 0.2, 1e-6, 1e-7, 0.00001, 1.5e-7, 123456789.123, 1e15, 1e16, 1e20, 1e21, 1.2e21,
  -1e21, 1e22, 123456789012345680000, 99999999999999990000, 999999999999999900000, 5e-324, 1.7976931348623157e308,
  2.2250738585072014e-308, 9007199254740991, -9007199254740991, 4294967296.5, 59.9139, 10.7522, 12.55, 4.35, 1 / 3,
  2 / 3, 0.000001234, -0.0000001234, 1.0000000000000002, 100, 123456.7e-3,
];
const drawn = Array.from({ length: 300 }, () => {
  for (let byte = 0; byte < 8; byte++) view.setUint8(byte, Math.floor(random() * 256));
  return view.getFloat64(0);
}).filter(Number.isFinite);
const scaled = Array.from({ length: 200 }, () => (random() - 0.5) * 10 ** (Math.floor(random() * 50) - 25));
const bits = (number) => {
  view.setFloat64(0, number);
  return view.getBigUint64(0).toString(16).padStart(16, "0");
};

const texts = [
  "", "plain", "æøå Ünïcødé", "日本語", "😀", "\u0000\u0001\u001f\u007f\u0080", "\b\t\n\f\r\v", '"quoted\\slash/',
  "\u2028\u2029", "\ud800", "\udfff x", "a\udc00\ud800b", "\ud83d", "\ufeff", "</script>", "\ue000\uffff",
];
const units = (text) => Array.from({ length: text.length }, (_, place) => text.charCodeAt(place));

const documents = [
  '{"b":1,"a":2,"10":3,"9":4,"01":5,"-1":6,"4294967294":7,"4294967295":8,"1.5":9,"":10,"0":11}',
  '{"__proto__":{"x":1},"constructor":null,"toString":[]}',
  '[[],{},[{}],null,true,false,[1,2.5,"x"]]',
  '{"a":{"b":{"c":[{"d":1e-7},{"e":12.0},{"2":"two","1":"one"}]}}}',
  '{"id":12345,"distance":12.550,"at":[10.0,59.90000000000001],"comment":"Bod\\u00f8 \\ud83d\\udeb2 \\u2028 \\ud800"}',
].map((given) => ({ given, written: JSON.stringify(JSON.parse(given)) }));

const signatures = documents.map(({ written }, number) => {
  const [secret, timestamp] = [`secret-of-a-receiver-number-${number}-æ`, 1790000000000 + number];
  const signed = `${timestamp}.${JSON.stringify(JSON.parse(written))}`;
  return { secret, timestamp, body: written, v0: createHmac("sha256", secret).update(signed).digest("hex") };
});

const vectors = {
  node: process.version,
  numbers: [...chosen, ...drawn, ...scaled].map((number) => [bits(number), JSON.stringify(number)]),
  texts: texts.map((text) => [units(text), Buffer.from(JSON.stringify(text)).toString("hex")]),
  documents,
  signatures,
};
console.log(JSON.stringify(vectors));
