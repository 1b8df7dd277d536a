import fc from 'fast-check';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { CounterTally } from '../../../lib/prometheus/counter-tally.js';
import { HistogramTally } from '../../../lib/prometheus/histogram-tally.js';
import { metricDefinitions } from '../../../lib/prometheus/metric-definitions.js';

const buckets = [0.001, 0.01, 0.1, 1];

function histogram(name = 'h', registers = [new Registry()]): Histogram {
  return new Histogram({ name, help: name, labelNames: ['topic', 'direction'], buckets, registers });
}

describe('tallies', () => {
  it('a histogram reads as if each value had been observed by itself', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.double({ min: 0, max: 3, noNaN: true })), async (values) => {
        const [tallied, observed] = [histogram(), histogram()];
        const labels = { topic: 'a', direction: 'in' };
        const tally = new HistogramTally(tallied, labels);
        for (const value of values) {
          tally.observe(value);
          observed.observe(labels, value);
        }
        const [ours, theirs] = [(await tallied.get()).values, (await observed.get()).values];
        expect(ours.map(({ labels: told, metricName }) => ({ told, metricName }))).toEqual(
          theirs.map(({ labels: told, metricName }) => ({ told, metricName })),
        );
        for (const [index, { value }] of theirs.entries()) expect(ours[index].value).toBeCloseTo(value, 9);
      }),
      { numRuns: 100 },
    );
  });

  it('reach the text of the registry, again and again, also after a reset', async () => {
    const registry = new Registry();
    const tally = new HistogramTally(histogram('seen', [registry]), { topic: 'a', direction: 'out' });
    tally.observe(0.005);
    expect(await registry.metrics()).toContain('seen_count{topic="a",direction="out"} 1');
    tally.observe(0.005);
    expect(await registry.metrics()).toContain('seen_count{topic="a",direction="out"} 2');
    registry.resetMetrics();
    tally.observe(5);
    expect(await registry.metrics()).toContain('seen_sum{topic="a",direction="out"} 5');
  });

  it('add up when several buses share a metric, and stay after one has closed', async () => {
    const counter = new Counter({ name: 'c', help: 'c', labelNames: ['topic'], registers: [] });
    const [one, other] = [new CounterTally(counter, 'a'), new CounterTally(counter, 'a')];
    one.add(2);
    other.add(3);
    one.close();
    one.add(100);
    expect((await counter.get()).values[0].value).toBe(5);
  });

  it('a gauge loses the part of a bus that withdraws, and no other', async () => {
    const gauge = new Gauge({ name: 'g', help: 'g', labelNames: ['topic'], registers: [] });
    const [one, other] = [new CounterTally(gauge, 'a'), new CounterTally(gauge, 'a')];
    one.add(2);
    other.add(3);
    await gauge.get();
    one.add(1);
    one.withdraw();
    expect((await gauge.get()).values[0].value).toBe(3);
  });

  it("leave a metric's own collector in place", async () => {
    const collect = jest.fn();
    const counter = new Counter({ name: 'own', help: 'own', collect, registers: [] });
    new CounterTally(counter).add(1);
    expect((await counter.get()).values[0].value).toBe(1);
    expect(collect).toHaveBeenCalledTimes(1);
  });

  it('observes one by one where a histogram does not look as known', async () => {
    const closed = histogram();
    const observed: unknown[] = [];
    const foreign = { observe: (...args: unknown[]) => observed.push(args) } as unknown as Histogram;
    new HistogramTally(foreign, { topic: 'a' }).observe(7);
    expect(observed).toEqual([[{ topic: 'a' }, 7]]);
    const known = new HistogramTally(closed, { topic: 'a', direction: 'in' });
    const direct = jest.spyOn(closed, 'observe');
    known.observe(1);
    expect(direct).not.toHaveBeenCalled();
  });
});

describe('the duration of processing', () => {
  it('has every bucket of the original', () => {
    // The default buckets of client_golang, which the Go library takes.
    const original = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
    expect(metricDefinitions.processingDuration.buckets).toEqual([0.0005, 0.001, 0.0025, ...original]);
  });
});
