export { toTowline as proxy } from "./towline/proxy";

// Below `/api/auth` it is Auth.js that answers.
export const config = { matcher: "/api/((?!auth/).*)" };
