/** Embedded, unless the environment names a Redis: DISCO_BUS_URL=redis://127.0.0.1:6379 */
export const url = process.env.DISCO_BUS_URL ?? 'memory:contract';
