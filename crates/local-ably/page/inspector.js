// The stream of what the server alone knows: a snapshot each second, as a line of JSON.

/** How long to wait before another try, in milliseconds. */
const RETRY_MS = 2_000;

/** @typedef {{ app?: string, channel?: string, filter?: string }} Query */

export class Inspector {
  #secret;
  #heard;
  #state;
  /** @type {AbortController | undefined} */
  #running;

  /**
   * @param {string} secret
   * @param {(snapshot: any) => void} heard
   * @param {(state: "live" | "lost" | "refused", why: string) => void} state
   */
  constructor(secret, heard, state) {
    this.#secret = secret;
    this.#heard = heard;
    this.#state = state;
  }

  /**
   * Watches from now on by this query, and by no earlier one.
   * @param {Query} query
   */
  async watch(query) {
    this.#running?.abort();
    const running = (this.#running = new AbortController());
    while (!running.signal.aborted) {
      const end = await this.#stream(query, running.signal).catch((error) => String(error?.message ?? error));
      if (running.signal.aborted || end === undefined) return;
      this.#state("lost", end);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Watches no longer. */
  stop() {
    this.#running?.abort();
  }

  /**
   * A token by which the page may read an app's channels, and nothing else.
   * @param {string} app
   * @returns {Promise<string>}
   */
  async token(app) {
    const response = await this.#post("/inspect/token", { app });
    const body = await response.json();
    if (!response.ok) throw new Error(body?.error?.message ?? `status ${response.status}`);
    return body.token;
  }

  /**
   * @param {string} path
   * @param {object} body
   * @param {AbortSignal} [signal]
   */
  #post(path, body, signal) {
    return fetch(path, {
      method: "POST",
      headers: { authorization: `Bearer ${this.#secret}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      signal: signal ?? null,
    });
  }

  /**
   * Reads one stream to its end. Answers why it ended; nothing where another try makes no sense.
   * @param {Query} query
   * @param {AbortSignal} signal
   * @returns {Promise<string | undefined>}
   */
  async #stream(query, signal) {
    const response = await this.#post("/inspect", query, signal);
    if (!response.ok || response.body === null) {
      const { error } = await response.json().catch(() => ({ error: undefined }));
      const why = error?.message ?? `the inspector answered ${response.status}`;
      if (response.status !== 401 && response.status !== 403) return why;
      this.#state("refused", why);
      return undefined;
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return "the stream has ended";
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      // Where several have come, only the last is news; but each brings refusals of its own.
      for (const line of lines) if (!signal.aborted && line !== "") this.#heard(JSON.parse(line));
      this.#state("live", "");
    }
  }
}
