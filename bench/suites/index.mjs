/** Every suite by name: how it is loaded, and whether it needs the peers that bench/package.json names. */
export const suites = {
  pubsub: { load: () => import('./pubsub.mjs'), peers: false },
  rpc: { load: () => import('./rpc.mjs'), peers: false },
  durable: { load: () => import('./durable.mjs'), peers: true },
  locks: { load: () => import('./locks.mjs'), peers: true },
  memory: { load: () => import('./memory.mjs'), peers: true },
  growth: { load: () => import('./growth.mjs'), peers: false },
  overhead: { load: () => import('./overhead.mjs'), peers: false },
  counting: { load: () => import('./counting.mjs'), peers: false },
  start: { load: () => import('./start.mjs'), peers: false },
};
