// Reads HTTP/1.1 requests from a connection: as much of it as runtimes use that publish.

const END_OF_HEAD = "\r\n\r\n";
/** @type {Buffer} */
const NOTHING = Buffer.alloc(0);

/**
 * @param {(path: string, body: Buffer) => void} each told each request
 * @returns {(data: Buffer) => void} to be given what comes
 */
export function requestsIn(each) {
  let rest = NOTHING;
  return (data) => {
    let buffer = rest.length === 0 ? data : Buffer.concat([rest, data]);
    for (;;) {
      const end = buffer.indexOf(END_OF_HEAD);
      if (end < 0) break;
      const head = buffer.toString("latin1", 0, end);
      const length = lengthIn(head);
      const start = end + END_OF_HEAD.length;
      if (buffer.length < start + length) break;
      const path = head.slice(head.indexOf(" ") + 1, head.indexOf(" HTTP/"));
      each(path, buffer.subarray(start, start + length));
      buffer = buffer.subarray(start + length);
    }
    rest = buffer;
  };
}

/** @param {string} head */
function lengthIn(head) {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined && /\r\ntransfer-encoding:/i.test(head)) throw new Error("the stub reads no chunked body");
  return Number(length ?? 0);
}
