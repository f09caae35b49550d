import { start, told } from "./start.ts";
import { page } from "./watching.tsx";

start(page(told()));
