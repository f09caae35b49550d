"use client";

import type { Towline } from "@towline/client";
import { createDriver, type Driver, type DriverState } from "@towline/client/driver";
import { useTowline } from "@towline/client/react";
import { useMemo, useSyncExternalStore } from "react";
import { createReceiver, NO_RECEPTION, type Receiver, type Reception } from "./receiver";

export interface Phone {
  driver: Driver;
  receiver: Receiver;
}

/** As the driver, one a client. */
const phones = new WeakMap<Towline, Phone>();

function phoneOf(towline: Towline): Phone {
  let phone = phones.get(towline);
  if (phone === undefined) {
    const receiver = createReceiver();
    phone = { driver: createDriver(towline, { geolocation: receiver.geolocation }), receiver };
    phones.set(towline, phone);
  }
  return phone;
}

const nothing = () => () => {};
const none = () => undefined;

/** This device: its queue, its receiver, and how both are. Nothing on a server, and while its page is hydrated. */
export function usePhone(): { phone: Phone | undefined; state: DriverState | undefined; reception: Reception } {
  const towline = useTowline();
  const phone = useMemo(() => towline && phoneOf(towline), [towline]);
  const state = useSyncExternalStore(phone?.driver.state.subscribe ?? nothing, phone?.driver.state.get ?? none, none);
  const reception = useSyncExternalStore(phone?.receiver.subscribe ?? nothing, phone?.receiver.get ?? (() => NO_RECEPTION), () => NO_RECEPTION);
  return { phone, state, reception };
}
