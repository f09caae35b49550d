// A driver's page without React.

import { createTowline } from "@towline/client";
import { createDriver } from "@towline/client/driver";

export const driver = createDriver(createTowline({ url: "", cookies: true, user: "dan" }));
