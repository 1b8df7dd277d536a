import fc from 'fast-check';
import { assertTopic } from '../../../lib/message/topic.js';
import { assertTopicOrPattern, isTopicPattern, topicMatcher } from '../../../lib/message/topic-pattern.js';

describe('topic grammar', () => {
  it.each(['orders', 'orders.created', 'a', 'A-1_b:c.d', 'x'.repeat(200), 'constructor'])(
    'accepts %s',
    (topic) => {
      expect(assertTopic(topic)).toBe(topic);
    },
  );

  it.each([
    '.orders',
    '-x',
    'a b',
    'a*',
    'a?',
    'a[b]',
    'a{b}',
    'a\\b',
    'a\n',
    'ü',
    '__proto__',
    'x'.repeat(201),
    'disco:x',
    `reply:${'0'.repeat(32)}`,
    7,
    {},
  ])('refuses %p', (topic) => {
    expect(() => assertTopic(topic)).toThrow(expect.objectContaining({ code: 'DISCO_TOPIC_INVALID' }));
  });

  it.each(['', undefined, null])('says that %p is empty', (topic) => {
    expect(() => assertTopic(topic)).toThrow(expect.objectContaining({ name: 'TopicEmptyError' }));
  });

  it('accepts nothing that holds a glob, a brace or a control character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 220 }), (topic) => {
        let accepted = true;
        try {
          assertTopic(topic);
        } catch {
          accepted = false;
        }
        return !accepted || /^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(topic);
      }),
      { numRuns: 5_000 },
    );
  });

  it('shows hostile names without their control characters', () => {
    expect(() => assertTopic('a\n\u001b[31mb')).toThrow(/^[\x20-\x7e]*$/);
  });
});

describe('topic patterns', () => {
  it.each([
    ['orders.*', 'orders.created', true],
    ['orders.*', 'orders', false],
    ['orders.*', 'orders.a.b', false],
    ['*.created', 'orders.created', true],
    ['orders.>', 'orders.a', true],
    ['orders.>', 'orders.a.b.c', true],
    ['orders.>', 'orders', false],
    ['>', 'anything.at.all', true],
    ['a.*.c', 'a.b.c', true],
    ['a.*.c', 'a.b.d', false],
    ['orders', 'orders', true],
    ['orders', 'orders.x', false],
    ['>', 'nest:all.sum', false],
    ['*', 'nest:news', false],
    ['*.sum', 'nest:all.sum', false],
    ['>', `reply:${'a'.repeat(32)}`, false],
    ['>', 'disco:cancel', false],
    ['>', 'reply:of.mine', true],
    ['*', 'nested', true],
  ])('%s against %s: %p', (pattern, topic, expected) => {
    expect(topicMatcher(assertTopicOrPattern(pattern))(topic)).toBe(expected);
  });

  it.each([
    'a*',
    'a.>.b',
    '>.a',
    'a..*',
    '*.',
    '.*',
    'a.**',
    'nest:all.*',
    'nest:*',
    'disco:x.>',
    `${'a.'.repeat(100)}*`,
  ])('refuses %s', (pattern) => {
    expect(() => assertTopicOrPattern(pattern)).toThrow(
      expect.objectContaining({ code: 'DISCO_TOPIC_INVALID' }),
    );
  });

  it('tells patterns from topics', () => {
    expect([isTopicPattern('a.b'), isTopicPattern('a.*'), isTopicPattern('>')]).toEqual([false, true, true]);
  });
});
