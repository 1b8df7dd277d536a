import { latencyPlot } from './latency-plot.mjs';
import { floorPlot, ratioPlot } from './ratio-plot.mjs';

/** The plots of the README by name, drawn from kept results, as far as there are any. */
export function plotsOf(results) {
  const rows = Object.values(results).flatMap((result) => result.rows);
  const on = measuredOn(Object.values(results));
  const floors = floorPlot(rows, on);
  return {
    ratios: ratioPlot(rows, on),
    ...(floors && { floors }),
    ...(results.pubsub && { latency: latencyPlot(results.pubsub.rows, measuredOn([results.pubsub])) }),
  };
}

/** On what and when, in one line: `2 cores (AMD EPYC), Redis 7.0.15, Node 20.20.2, 2026-11-26`. */
function measuredOn(results) {
  const machines = new Set(
    results.map(({ machine: { cores, processor, redis, node } }) => {
      return `${cores} cores (${processor}), Redis ${redis}, Node ${node}`;
    }),
  );
  const dates = results.map(({ date }) => date).sort();
  const days = dates[0] === dates.at(-1) ? dates[0] : `${dates[0]} to ${dates.at(-1)}`;
  return `${[...machines].join('; ')}; ${days}`;
}
