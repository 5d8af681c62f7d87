// Calls the target for ever through the xDS client of grpc for Node.js. One
// line on stdout for each call says who answered, or what went wrong.
"use strict";

const grpc = require("@grpc/grpc-js");
require("@grpc/grpc-js-xds").register();

const client = new grpc.Client(process.argv[2], grpc.credentials.createInsecure());
const bytes = (buffer) => buffer;

function check() {
  let backend;
  const options = { deadline: Date.now() + 5000 };
  const answered = (error) => {
    console.log(error ? `failed: ${grpc.status[error.code]}: ${error.details}` : backend);
    setTimeout(check, 1);
  };
  client
    .makeUnaryRequest("/grpc.health.v1.Health/Check", bytes, bytes, Buffer.alloc(0), options, answered)
    .on("metadata", (header) => { [backend] = header.get("backend"); });
}

check();
