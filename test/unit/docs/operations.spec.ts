import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { commands } from '../../../lib/cli/commands/index.js';
import { metricDefinitions } from '../../../lib/prometheus/metric-definitions.js';
import { readDocument, root } from './markdown.js';

const folder = 'docs/operations';
const rules = readDocument(`${folder}/alert-rules.yml`);
const runbook = readDocument(`${folder}/alerts.md`);
const definitions = Object.values(metricDefinitions);

/** What is asked for in `text` and no process counts. */
function unknownIn(text: string): string[] {
  const series = definitions.flatMap(({ name, kind }) =>
    kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  const asked = new Set(text.match(/\bdisco_bus_\w+/g) ?? []);
  return [...asked].filter((name) => !series.includes(name));
}

const run = promisify(execFile);

describe('the alert rules', () => {
  const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);

  it('ask for metrics that there are', () => {
    expect(alerts.length).toBeGreaterThan(8);
    expect(unknownIn(rules)).toEqual([]);
  });

  it.each(alerts)('%s has a place in the runbook, with a command, and links there', (alert) => {
    const section = runbook.split(`## ${alert}\n`)[1]?.split('\n## ')[0] ?? '';
    expect(section).toMatch(/- Look at: .*\n[\s\S]*- Do: /);
    expect(section).toMatch(/`disco-bus \w+|`node --cpu-prof/);
    expect(rules).toContain(`runbook_url: docs/operations/alerts.md#${alert.toLowerCase()}`);
  });

  it('fire, and do not, as promtool tries them', async () => {
    const { stdout } = await run(join(root, 'test/support/promtool.sh'), [], { cwd: root });
    const promtool = resolve(root, stdout.trim());
    const cwd = join(root, folder);
    await run(promtool, ['check', 'rules', 'alert-rules.yml'], { cwd });
    await run(promtool, ['test', 'rules', 'alert-rules.test.yml'], { cwd });
    const tried = [...readDocument(`${folder}/alert-rules.test.yml`).matchAll(/alertname: (\w+)/g)];
    expect([...new Set(tried.map(([, name]) => name))].sort()).toEqual([...alerts].sort());
  }, 120_000);
});

describe('the board', () => {
  const board = JSON.parse(readDocument(`${folder}/grafana-dashboard.json`)) as {
    panels: {
      id: number;
      title: string;
      type: string;
      gridPos: { x: number; w: number };
      targets?: { expr: string }[];
    }[];
  };

  it('asks for metrics that there are, and for nearly all of them', () => {
    const text = JSON.stringify(board);
    expect(unknownIn(text)).toEqual([]);
    const missing = definitions.map(({ name }) => name).filter((name) => !text.includes(name));
    expect(missing.length).toBeLessThan(12);
  });

  it('has panels of their own id within its width', () => {
    expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length);
    for (const { gridPos } of board.panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    for (const { type, targets } of board.panels)
      if (type !== 'row') expect(targets?.length).toBeGreaterThan(0);
  });
});

describe('docs/operations', () => {
  const pages = readdirSync(join(root, folder)).filter((file) => file.endsWith('.md'));

  it.each(pages)('%s: its links lead somewhere, and its commands are those of disco-bus', (page) => {
    const text = readDocument(`${folder}/${page}`);
    for (const [, path] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      expect(readFileSync(join(root, folder, path)).length).toBeGreaterThan(0);
    }
    const names = Object.keys(commands);
    const named = [...text.matchAll(/`disco-bus (\w+)/g)].map(([, name]) => name);
    expect(named.filter((name) => !names.includes(name))).toEqual([]);
  });
});
