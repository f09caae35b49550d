// The streams of one object: texts come from Rust, and go out as bytes, each once all is durable that was written before it.

// So long a stream that ends has to hand out what it was given, in milliseconds: after that nobody is there, or nobody reads.
const END_MS = 10_000;

const encoder = new TextEncoder();

export class Streams {
  #storage;
  #taken;
  #due;
  #writers = new Map();
  #told = Promise.resolve();
  #timer;
  // Where the build notes that its code has trapped, and has a number for the instance of it that runs.
  #wasm = globalThis.__worker_init_state;
  #instance = this.#wasm.instanceId;

  // `taken` is called with a reader's number, and whether there still is one; `due` at the time that was asked for.
  constructor(storage, taken, due) {
    this.#storage = storage;
    this.#taken = taken;
    this.#due = due;
  }

  // Begins a reader's stream: the response of which it is the body.
  open(number) {
    // The runtime's own kind: what is written is taken once the other side reads it, and nothing is kept between.
    const { readable, writable } = new IdentityTransformStream();
    this.#writers.set(number, writable.getWriter());
    return new Response(readable);
  }

  // Hands out texts, each after the numbers of its readers, with a `!` before them where their streams end with it; all separated by a NUL.
  // What is told waits here for the storage. The runtime's output gate holds such a write back as well, but nobody promises that of a body
  // that has begun, and what is written inside a transaction leaves at once (findings/a-stream-leaves-an-open-transaction.sh).
  deliver(told) {
    const durable = this.#storage.sync();
    // In the order in which they were handed over.
    this.#told = Promise.all([durable, this.#told]).then(
      () => this.#write(told),
      () => this.#abort(),
    );
  }

  // Has `due` called at a time in Unix milliseconds, and not at another that was asked for before.
  wakeAt(at) {
    clearTimeout(this.#timer);
    if (at === undefined) return;
    this.#timer = setTimeout(() => this.#call(this.#due), Math.max(0, at - Date.now()));
  }

  #write(told) {
    const parts = told.split("\0");
    for (let i = 0; i + 1 < parts.length; i += 2) {
      const ends = parts[i].startsWith("!");
      const bytes = encoder.encode(parts[i + 1]);
      for (const number of parts[i].slice(ends ? 1 : 0).split(",").map(Number)) {
        const writer = this.#writers.get(number);
        if (writer === undefined) continue;
        if (ends) this.#end(number, writer, bytes);
        else {
          writer.write(bytes).then(
            () => this.#call(this.#taken, number, true),
            () => {
              this.#writers.delete(number);
              this.#call(this.#taken, number, false);
            },
          );
        }
      }
    }
  }

  #end(number, writer, bytes) {
    this.#writers.delete(number);
    const over = setTimeout(() => writer.abort().catch(() => {}), END_MS);
    writer.write(bytes).catch(() => {});
    writer.close().then(
      () => clearTimeout(over),
      () => clearTimeout(over),
    );
  }

  // Of an instance that has trapped nothing may be called any more: its readers come again, to the next one.
  #call(callback, ...args) {
    if (this.#wasm.criticalError || this.#wasm.instanceId !== this.#instance) this.#abort();
    else callback(...args);
  }

  #abort() {
    clearTimeout(this.#timer);
    for (const writer of this.#writers.values()) writer.abort().catch(() => {});
    this.#writers.clear();
  }
}
