import type { GroupInspection, TopicInspection } from '../../lib/driver/inspection.js';
import type { Defect } from './broken-driver.js';

/** Tells of each group what `change` says. */
function tellingOfGroups(
  change: (group: GroupInspection, topic: TopicInspection) => Partial<GroupInspection>,
): Defect {
  return {
    inspected: (topic) => ({
      ...topic,
      groups: topic.groups.map((group) => ({ ...group, ...change(group, topic) })),
    }),
  };
}

/** Ways to count wrongly, and the cases that must notice it. */
export const inspectionDefects: Record<string, { noticedBy: readonly string[]; make: () => Defect }> = {
  'counts entries, not messages': {
    noticedBy: ['inspect-waiting'],
    make: () => ({ inspected: (topic) => ({ ...topic, messages: topic.entries }) }),
  },
  'counts what waits by entries': {
    noticedBy: ['inspect-waiting', 'inspect-back', 'inspect-dead-letters'],
    make: () => tellingOfGroups(({ waiting }) => ({ waiting: Math.min(waiting, 3) })),
  },
  'counts a group that began in the middle from the beginning': {
    noticedBy: ['inspect-waiting'],
    make: () =>
      tellingOfGroups(({ group, waiting, held }, { published }) =>
        group === 'late' ? { waiting: published - held } : { waiting },
      ),
  },
  'counts bundles in flight whole until their last part is settled': {
    noticedBy: ['inspect-held'],
    make: () => tellingOfGroups(({ held }) => ({ held: held > 0 ? 6 : 0 })),
  },
  'counts what is held as running': {
    noticedBy: ['inspect-held'],
    make: () => tellingOfGroups(({ held }) => ({ running: held })),
  },
  'forgets what came back': {
    noticedBy: ['inspect-back', 'inspect-dead-letters'],
    make: () => tellingOfGroups(() => ({ waiting: 0 })),
  },
  'counts dead letters that were replayed and removed': {
    noticedBy: ['inspect-dead-letters'],
    make: () => {
      let most = 0;
      return tellingOfGroups(({ deadLetters }) => {
        most = Math.max(most, deadLetters.entries);
        return { deadLetters: { ...deadLetters, entries: most } };
      });
    },
  },
  'lists topics in no order, and those that are gone': {
    noticedBy: ['inspect-topics'],
    make: () => {
      const known = new Set<string>();
      return {
        listed: (topics) => {
          for (const topic of [...topics].reverse()) known.add(topic);
          return [...known];
        },
      };
    },
  },
};
