import { createElement } from "react";

export const metadata = { title: "Towline" };

/** @param {{ children: any }} props */
export default function Layout({ children }) {
  return createElement("html", { lang: "en" }, createElement("body", null, children));
}
