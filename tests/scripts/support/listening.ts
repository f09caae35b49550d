// Where processes listen, by the system's own tables.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** The state of a socket that listens. */
const LISTEN = "0A";
/** 127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104, as the tables write them. */
const LOOPBACK = /^(.{6}7F|0{24}01000000|0{16}FFFF0000.{6}7F)$/;

/** The TCP ports at which a process and its descendants listen to more than this machine. Linux alone has such tables. */
export function networkPorts(pid: number): number[] {
  const inodes = new Set(family(pid).flatMap(sockets));
  const ports = ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, "utf8").trim().split("\n").slice(1).flatMap((line) => {
      const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
      const [address = "", port = ""] = local.split(":");
      return state === LISTEN && inodes.has(inode) && !LOOPBACK.test(address) ? [Number.parseInt(port, 16)] : [];
    }),
  );
  return [...new Set(ports)];
}

function family(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const parent = orNothing(() => Number(readFileSync(`/proc/${name}/stat`, "utf8").split(") ").at(-1)?.split(" ")[1]));
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const all = (id: number): number[] => [id, ...(children.get(id) ?? []).flatMap(all)];
  return all(pid);
}

function sockets(pid: number): string[] {
  const names = orNothing(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  return names.flatMap((name) => /^socket:\[(\d+)\]$/.exec(orNothing(() => readlinkSync(`/proc/${pid}/fd/${name}`)) ?? "")?.[1] ?? []);
}

/** What is read of a process, unless it has just ended. */
function orNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
