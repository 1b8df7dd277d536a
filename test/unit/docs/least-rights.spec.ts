import { lockCommands } from '../../../lib/drivers/redis/locks/lock-rights.js';
import { featureCommands } from '../../../lib/drivers/redis/streams/feature-rights.js';
import { documentedRules } from '../../support/acl-rules.js';

const features = {
  publish: 'Publishing at least once',
  consume: 'Subscribing at least once',
  patterns: 'Patterns at least once',
  deadLetters: 'Dead letters',
  removal: 'Removing and counting groups',
  agreements: 'How topics are used',
  inspection: 'Inspecting topics',
  watching: 'Metrics of groups',
  steering: 'Steering groups and topics',
  locks: 'Locks',
} as const;
const commandsOf = { ...featureCommands, locks: lockCommands };
const headings = ['Every user', 'At most once', ...Object.values(features)];
const isCommand = (rule: string) => rule.startsWith('+');
const news = new Set(['+publish', '+subscribe']);

describe('docs/reference/least-rights.md', () => {
  it.each(Object.entries(features))(
    '%s: the commands of its scripts, no more and no less',
    (feature, heading) => {
      const commands = commandsOf[feature as keyof typeof features];
      const rules = documentedRules(heading).filter((rule) => isCommand(rule) && !news.has(rule));
      expect(rules.sort()).toEqual(commands.map((each) => `+${each.toLowerCase().replace(' ', '|')}`).sort());
    },
  );

  it('everything is all of them together', () => {
    const all = new Set(headings.flatMap(documentedRules).filter(isCommand));
    expect(documentedRules('Everything').filter(isCommand).sort()).toEqual([...all].sort());
  });
});
