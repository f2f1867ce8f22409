// What the official JavaScript library, and for ed25519 Node.js itself, say of a list of cases. Before
// it stand the examples of the README, as the functions readmeStandard and readmeSimple.
import { readFileSync } from "node:fs";
import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { Webhook as Official } from "standardwebhooks";

const raw = (text, prefix) => Buffer.from(text.slice(prefix.length), "base64");
const spki = Buffer.from("302a300506032b6570032100", "hex");
const pkcs8 = Buffer.from("302e020100300506032b657004220420", "hex");
const content = ({ id, timestamp, body }) => Buffer.from(`${id}.${timestamp}.${body}`);

const attempt = (action) => {
  try {
    action();
    return "genuine";
  } catch (error) {
    return error.message;
  }
};

const judges = {
  verify: ({ secret, headers, body }) => attempt(() => readmeStandard(secret, body, headers)),
  sign: ({ secret, id, timestamp, body }) => new Official(secret).sign(id, new Date(timestamp * 1000), body),
  simple: ({ secret, signature, body }) => readmeSimple(secret, Buffer.from(body), signature),
  ed25519Verify: (message) => {
    const der = Buffer.concat([spki, raw(message.publicKey, "whpk_")]);
    const key = createPublicKey({ key: der, format: "der", type: "spki" });
    return verify(null, content(message), key, raw(message.signature, "v1a,"));
  },
  ed25519Sign: (message) => {
    const der = Buffer.concat([pkcs8, raw(message.privateKey, "whsk_").subarray(0, 32)]);
    const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    return "v1a," + sign(null, content(message), key).toString("base64");
  },
};

const cases = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map((it) => judges[it.judge](it))));
