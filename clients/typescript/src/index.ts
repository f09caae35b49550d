// @towline/client: to watch moving vehicles. Nothing happens at import, and nothing is asked for before something is watched.

export type { Board, BoardOptions, Listing } from "./board.ts";
export * from "./client/index.ts";
export { type Duty, goOnDuty, type OnDuty, onDuty as watchOnDuty } from "./duty.ts";
export { type Glide, type Gliding, glide } from "./glide/glide.ts";
export { fromJobId, toJobId } from "./ids.ts";
export { type Notifications, notifications as watchNotifications } from "./notifications.ts";
export { ageMs, initialSnapshot, STALE_AFTER_MS } from "./view/initial.ts";
export type { JobSnapshot, Position, Status, TrailPoint } from "./view/types.ts";
export { type JobOptions, watchBoard, watchJob, watchTrail } from "./watch.ts";
export type * from "./wire.ts";
