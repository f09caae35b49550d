// The Worker's entry: it hands requests to the Rust front, and gives the runtime Durable Object classes that it can call by RPC,
// which have to extend DurableObject in JavaScript. Panic recovery comes with the build's own wrappers around all of Rust's classes.
import * as rust from "../../build/index.js";
import { DurableObject } from "cloudflare:workers";

let front;
export default { fetch: (request, env) => (front ??= new rust.Front(env)).fetch(request) };

export class Job extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.rust = new rust.Job(state, env);
  }
  call(request) {
    return this.rust.call(request);
  }
  alarm() {
    return this.rust.alarm();
  }
  fetch(request) {
    return this.rust.fetch(request);
  }
}

export class Operations extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.rust = new rust.Operations(state, env);
  }
  report(report) {
    return this.rust.report(report);
  }
  alarm() {
    return this.rust.alarm();
  }
}

export class Publisher extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.rust = new rust.Publisher(state, env);
  }
  publish(channel, body) {
    return new Promise((resolve) => this.rust.publish(channel, body, resolve));
  }
}
