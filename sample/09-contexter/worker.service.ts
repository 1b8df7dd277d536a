import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { Injectable } from '@nestjs/common';
import { DiscoBusService, DiscoSubscribe } from 'nestjs-disco-bus';
import { type ContexterEvents, type FileTask, inspectFile } from './file-task.js';
import { type Findings, MergedReport } from './merged-report.js';

/** Looks into files, and merges what it finds into the one report of the run. */
@Injectable()
export class WorkerService {
  constructor(private readonly bus: DiscoBusService<ContexterEvents>) {}

  // After a crash what the process had in hand is tried file by file, so it does not take more in hand than it needs.
  @DiscoSubscribe('contexter.files', { batch: { size: 25, linger: '5ms' }, concurrency: 2 })
  async inspect(tasks: FileTask[]): Promise<void> {
    const findings = await Promise.all(tasks.map(inspectFile));
    const byReport = new Map<string, Findings>();
    for (const [index, { report, path }] of tasks.entries()) {
      byReport.set(report, (byReport.get(report) ?? new Map()).set(path, findings[index]));
    }
    for (const [report, found] of byReport) await this.merge(report, found);
  }

  private async merge(report: string, found: Findings): Promise<void> {
    // That run is over: it was interrupted before its tasks were done.
    if (!existsSync(dirname(report))) return;
    await this.bus.locks.using(`contexter:${report}`, { ttl: '5s', wait: '30s' }, () =>
      new MergedReport(report).add(found),
    );
    await this.bus.publish('contexter.progress', { report });
  }
}
