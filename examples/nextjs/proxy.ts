export { toTowline as proxy } from "./towline/proxy";

export const config = { matcher: "/api/:path*" };
