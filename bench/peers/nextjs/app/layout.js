import { createElement } from "react";

export const metadata = { title: "bench" };

/** @param {{ children: any }} props */
export default function Layout({ children }) {
  return createElement("html", { lang: "en" }, createElement("body", null, children));
}
