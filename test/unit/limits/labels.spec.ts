import { buses } from '../bus/support.js';
import { recordingMetrics } from './recording-metrics.js';

const { started } = buses();

describe('the labels of metrics', () => {
  it('are bounded for published and subscribed topics together', async () => {
    const { metrics, labels } = recordingMetrics();
    const bus = await started({ metrics });
    for (let n = 0; n < 400; n++) await bus.publish(`published.${n}`, 1, { delivery: 'at-most-once' });
    for (let n = 0; n < 400; n++) {
      const subscription = await bus.subscribe(`session.${n}`, () => {}, { delivery: 'at-most-once' });
      await subscription.close();
    }
    expect(labels.size).toBe(501);
    expect(labels).toContain('other');
  });

  it('are those of a declared pattern for all its topics, and a pattern has its own', async () => {
    const { metrics, labels } = recordingMetrics();
    const bus = await started({ metrics, topics: { 'session.>': { delivery: 'at-most-once' } } });
    await bus.subscribe('session.1', () => {}, { delivery: 'at-most-once' });
    await bus.publish('session.2', 1, { delivery: 'at-most-once' });
    await bus.subscribe('session.*', () => {}, { delivery: 'at-most-once' });
    expect([...labels]).toEqual(['session.>', 'session.*']);
  });
});
