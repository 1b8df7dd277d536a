import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { DiscoBusService, DiscoSubscribe } from 'nestjs-disco-bus';
import { filter, firstValueFrom, race, Subject, timer } from 'rxjs';
import type { ContexterEvents, FileTask } from './file-task.js';
import { type Findings, MergedReport } from './merged-report.js';
import { type Found, type Wanted, walk } from './walk.js';

type Problem = Extract<Found, { type: 'problem' }>;

/** Everything that is known of a tree. */
export interface Survey {
  readonly findings: Findings;
  /** What the walk met and could not use. */
  readonly problems: readonly Problem[];
  readonly vendored: number;
}

/** Files published at a time. */
const PAGE = 500;
/** Without any progress for so long, nobody is working any more. */
const STALLED_MS = 60_000;
/** News of progress can be lost, so it is also looked for. */
const LOOK_MS = 500;
/** Progress is shown no more often than this. */
const SHOW_MS = 100;

/** Walks a tree, has every file looked into, and waits for the merged report to be complete. */
@Injectable()
export class CoordinatorService {
  private readonly logger = new Logger('Contexter');
  private readonly news = new Subject<string>();

  constructor(private readonly bus: DiscoBusService<ContexterEvents>) {}

  /** `report` names a file in a folder that exists. Rejects when the root cannot be read, or nothing moves any more. */
  async survey(root: string, wanted: Wanted, report: string): Promise<Survey> {
    const problems: Problem[] = [];
    let vendored = 0;
    let published = 0;
    let page: FileTask[] = [];
    const publish = async () => {
      await this.bus.publishBatch('contexter.files', page);
      published += page.length;
      page = [];
    };
    for await (const found of walk(root, wanted)) {
      if (found.type === 'problem') problems.push(found);
      else if (found.type === 'vendored') vendored++;
      else page.push({ root, path: found.path, report });
      if (page.length === PAGE) await publish();
    }
    await publish();
    return { findings: await this.complete(report, published), problems, vendored };
  }

  @DiscoSubscribe('contexter.progress')
  progress({ report }: ContexterEvents['contexter.progress']): void {
    this.news.next(report);
  }

  private async complete(report: string, published: number): Promise<Findings> {
    const merged = new MergedReport(report);
    const ofThisRun = this.news.pipe(filter((of) => of === report));
    let done = 0;
    for (let movedMs = Date.now(); Date.now() - movedMs < STALLED_MS; ) {
      const news = firstValueFrom(race(ofThisRun, timer(LOOK_MS)));
      const findings = await merged.read();
      if (findings.size > done) {
        movedMs = Date.now();
        done = findings.size;
        this.logger.log(`${done} of ${published} files processed`);
      }
      if (done === published) return findings;
      await Promise.all([news, pause(SHOW_MS)]);
    }
    throw new Error(`${done} of ${published} files are processed, and nothing moves any more`);
  }
}
