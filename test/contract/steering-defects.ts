import type { Steering } from '../../lib/driver/steering.js';
import type { Defect } from './broken-driver.js';

/** Ways to steer wrongly, and the cases that must notice it. */
export const steeringDefects: Record<string, { noticedBy: readonly string[]; make: () => Defect }> = {
  'pauses nobody': {
    noticedBy: ['steer-pause', 'steer-limit'],
    make: () => ({
      steering: (inner) => ({
        setGroup: async (topic, group, { paused: _, ...setting }) => ({
          ...(await inner.setGroup(topic, group, setting)),
          changed: true,
        }),
      }),
    }),
  },
  'tells its members nothing': {
    noticedBy: ['steer-pause', 'steer-limit'],
    make: () => ({ subscribeWith: () => ({ onSetting: undefined }) }),
  },
  'skips messages unasked': {
    noticedBy: ['steer-seek'],
    make: () => ({
      steering: (inner) => ({
        seekGroup: (topic, group, target) => inner.seekGroup(topic, group, target, true),
      }),
    }),
  },
  'seeks to the end, wherever it is sent': {
    noticedBy: ['steer-seek', 'steer-seek-position'],
    make: () => ({
      steering: (inner) => ({
        seekGroup: (topic, group, _, skip) => inner.seekGroup(topic, group, { to: 'end' }, skip),
      }),
    }),
  },
  'purges nothing': {
    noticedBy: ['steer-purge', 'steer-purge-topic'],
    make: () => ({ steering: () => ({ purgeGroup: async () => 7, purgeTopic: async () => 5 }) }),
  },
  'publishes what it was to remove': {
    noticedBy: ['steer-delayed'],
    make: () => ({
      steering: (inner) => ({ removeDelayed: (topic, id) => inner.publishDelayed(topic, id) }),
    }),
  },
  'forgets what operators did': {
    noticedBy: ['steer-audit'],
    make: () => ({ steering: () => ({ audit: async () => undefined }) }),
  },
  'takes any group for one that is there': {
    noticedBy: ['steer-missing'],
    make: () => ({
      steering: (inner: Steering) => ({
        purgeGroup: (topic, group) => inner.purgeGroup(topic, group).catch(() => 0),
      }),
    }),
  },
};
