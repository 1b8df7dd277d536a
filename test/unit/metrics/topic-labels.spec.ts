import { TopicLabels } from '../../../lib/metrics/topic-labels.js';

describe('TopicLabels', () => {
  it('names declared topics and patterns, then others up to the limit', () => {
    const labels = new TopicLabels(['orders', 'audit.>'], 3);
    expect(
      ['orders', 'audit.a.b', 'audit.c', 'free', 'late', 'free'].map((topic) => labels.of(topic)),
    ).toEqual(['orders', 'audit.>', 'audit.>', 'free', 'other', 'free']);
  });

  it('stays within 500 labels over 100,000 topics', () => {
    const labels = new TopicLabels([]);
    const used = new Set(Array.from({ length: 100_000 }, (_, n) => labels.of(`t${n}`)));
    expect(used.size).toBe(501);
  });
});
