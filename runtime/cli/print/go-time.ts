/** Points in time as Go prints them. */

/** Go's `time.Time.String()`, in UTC: `2024-01-31 13:05:00 +0000 UTC`. */
export function goTime(timeMs: number): string {
  const [day, time] = new Date(timeMs).toISOString().split("T") as [string, string];
  return `${day} ${time.slice(0, 8)} +0000 UTC`;
}

/** RFC 3339; what hasn't happened is the year 1. */
export function rfc3339(timeMs: number | undefined): string {
  return timeMs === undefined ? "0001-01-01T00:00:00Z" : new Date(timeMs).toISOString();
}
