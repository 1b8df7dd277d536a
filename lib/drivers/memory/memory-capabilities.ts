import type { DriverCapabilities } from '../../driver/capabilities.js';

/** What the memory driver can do. */
export const memoryCapabilities: DriverCapabilities = Object.freeze({
  'at-most-once': Object.freeze({
    patterns: true,
    groups: false,
    delay: false,
    ordered: true,
    backlog: false,
    persistent: false,
    deduplication: false,
    bare: true,
    parts: true,
  }),
  'at-least-once': Object.freeze({
    patterns: true,
    groups: true,
    delay: true,
    ordered: true,
    backlog: true,
    persistent: false,
    deduplication: true,
    exclusive: true,
    parts: true,
  }),
});
