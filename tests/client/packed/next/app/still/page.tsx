// A server component that makes a client and takes a hook's component from the package: neither has an effect here, and both build.

import { createTowline } from "@towline/client";
import { TowlineProvider } from "@towline/client/react";

export default function Still() {
  const { state } = createTowline({ url: "", cookies: true, user: "ann", ably: () => import("ably") }).connection.get();
  return <p>{`${state}, ${typeof TowlineProvider}`}</p>;
}
