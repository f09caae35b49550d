import { kmh } from "@/ui/measures";

/** @param speed metres a second */
export const pace = (speed: number) => (speed < 0.8 ? "standing" : kmh(speed));

export const degrees = ({ lat, lng }: { lat: number; lng: number }) => `${lat.toFixed(5)}, ${lng.toFixed(5)}`;
