import { z } from 'zod';
import { defineTopic } from '../../lib/contract/define.js';
import type { TopicDefinition } from '../../lib/contract/definition.js';

/** The two versions of a topic of numbered people. */
export function versionsOf(topic: string) {
  const one = defineTopic(topic, { schema: z.object({ n: z.number(), name: z.string() }) });
  const two = one.version(2, {
    schema: z.object({ n: z.number(), given: z.string(), family: z.string() }),
    upgrade: ({ n, name }) => {
      const [given, family = ''] = name.split(' ');
      return { n, given, family };
    },
  });
  return { one, two };
}

/** What a process of that version subscribes to. */
export function versionOf(topic: string, version: number): TopicDefinition<never, { n: number }> {
  const { one, two } = versionsOf(topic);
  return version === 1 ? one : two;
}
