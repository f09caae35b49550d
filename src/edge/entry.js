// The Worker's entry: it hands requests to the Rust front, and gives the runtime Durable Object classes that it can call by RPC,
// which have to extend DurableObject in JavaScript.
import * as rust from "../../build/index.js";
import { DurableObject } from "cloudflare:workers";

// Where the build notes that its code has trapped, and has a number for the instance of it that runs.
const wasm = globalThis.__worker_init_state;

// An object of one of Rust's classes. The build wraps these in proxies, by which all begins anew after a trap; but each call by way of one
// costs a tenth of a token's CPU time. So the object itself is called, and the proxy is asked for nothing but to begin anew.
class Kept {
  constructor(Class, ...args) {
    this.Class = Class;
    this.args = args;
    this.#make();
  }

  call(method, ...args) {
    if (wasm.criticalError || this.instance !== wasm.instanceId) this.#make();
    try {
      return this.object[method](...args);
    } catch (error) {
      throw noted(error);
    }
  }

  #make() {
    const { Class, args } = this;
    try {
      if (wasm.criticalError) new Class(...args);
      this.object = new Class.prototype.constructor(...args);
      this.instance = wasm.instanceId;
    } catch (error) {
      throw noted(error);
    }
  }
}

// Notes a trap: of the instance that trapped nothing may be called any more. A panic notes itself; V8 tells of a full stack by a RangeError.
function noted(error) {
  if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) wasm.criticalError = true;
  return error;
}

let front;
export default { fetch: (request, env) => (front ??= new Kept(rust.Front, env)).call("fetch", request) };

export class Job extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.rust = new Kept(rust.Job, state, env);
  }
  call(request) {
    return this.rust.call("call", request);
  }
  alarm() {
    return this.rust.call("alarm");
  }
  // A stream is asked for by a request, since its answer is a response and not a text.
  async fetch(request) {
    const said = this.rust.call("stream", await request.text());
    return typeof said === "string" ? new Response(said, { status: 409 }) : said;
  }
}

export class Operations extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.rust = new Kept(rust.Operations, state, env);
  }
  report(report) {
    return this.rust.call("report", report);
  }
  alarm() {
    return this.rust.call("alarm");
  }
}

export class Index extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.rust = new Kept(rust.Index, state);
  }
  change(change) {
    return this.rust.call("change", change);
  }
  page(wanted) {
    return this.rust.call("page", wanted);
  }
  alarm() {
    return this.rust.call("alarm");
  }
}

export class Inbox extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.rust = new Kept(rust.Inbox, state, env);
  }
  call(request) {
    return this.rust.call("call", request);
  }
  alarm() {
    return this.rust.call("alarm");
  }
}

export class Publisher extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.rust = new Kept(rust.Publisher, state, env);
  }
  publish(channel, body) {
    return new Promise((resolve) => this.rust.call("publish", channel, body, resolve));
  }
}
