import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import "./globals.css";

export const metadata: Metadata = {
  title: { default: "Towline", template: "%s · Towline" },
  // Each page is somebody's own.
  robots: { index: false, follow: false },
};

export const viewport: Viewport = { colorScheme: "light dark", viewportFit: "cover" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
