/** Every suite by name, and how it is loaded; null while it is not built. */
export const suites = {
  pubsub: () => import('./pubsub.mjs'),
  rpc: null,
  durable: null,
  locks: null,
  memory: () => import('./memory.mjs'),
  growth: null,
  overhead: () => import('./overhead.mjs'),
  start: () => import('./start.mjs'),
};
