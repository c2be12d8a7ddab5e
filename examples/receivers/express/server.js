// Receives Ringback's webhooks with Express and the standardwebhooks package.
//
//   npm ci && WEBHOOK_SECRETS="whsec_…" npm start        listens on http://127.0.0.1:9000/hook

import express from "express";
import { Webhook } from "standardwebhooks";

// Several secrets, with spaces between, while they are rotated. A wrong one must not pass: it would refuse every webhook.
const secrets = (process.env.WEBHOOK_SECRETS ?? "").split(" ").filter(Boolean);
if (secrets.length === 0 || !secrets.every((secret) => /^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/.test(secret))) {
  console.error("WEBHOOK_SECRETS must hold one or more secrets whsec_…; `ringback secrets show` tells it");
  process.exit(1);
}
const webhooks = secrets.map((secret) => new Webhook(secret));

// In earnest: a table with the id as its key, written before the answer, so that a crash loses nothing.
const inbox = new Map();

function verify(body, headers) {
  let refusal;
  for (const webhook of webhooks) {
    try {
      return webhook.verify(body, headers);
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}

function handle(event) {
  console.log("handled", event.type, event.data.id);
}

const app = express();

// The bytes as they came: express.json() parses them, and a body written again has another signature.
app.post("/hook", express.raw({ type: () => true, limit: "1mb" }), (request, response) => {
  let event;
  try {
    event = verify(request.body ?? Buffer.alloc(0), request.headers);
  } catch (error) {
    return response.status(400).type("text").send(error.message);
  }
  const id = request.headers["webhook-id"];
  if (!inbox.has(id)) {
    inbox.set(id, event);
    setImmediate(handle, event); // after the answer
  }
  return response.sendStatus(204);
});

app.listen(Number(process.env.PORT ?? 9000), "127.0.0.1");
