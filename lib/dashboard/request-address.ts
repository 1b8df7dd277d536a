import type { DashboardRequest } from './dashboard-options.js';

/** As the client wrote it, or a proxy in front of the application. */
export function addressOf({ originalUrl, url }: DashboardRequest): string {
  return originalUrl ?? url;
}

/** Without what is behind the question mark. */
export function pathOf(request: DashboardRequest): string {
  return addressOf(request).split('?', 1)[0];
}

/** The last segment of the path; empty behind a slash. */
export function lastOf(request: DashboardRequest): string {
  const path = pathOf(request);
  return path.slice(path.lastIndexOf('/') + 1);
}
