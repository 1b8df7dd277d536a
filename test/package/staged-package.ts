import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun } from './run-command.js';

/** The repository. */
export const root = join(__dirname, '../..');

const documents = [
  'package.json',
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'docs',
  'bench',
];

/**
 * The package as it would be published, built from the sources into a folder of the test's own, so that no build of
 * anybody else's is read or disturbed. The folder lies below node_modules, from where the peers are found.
 */
export class StagedPackage {
  private constructor(
    readonly directory: string,
    readonly tarball: string,
    /** Paths within the tarball. */
    readonly files: readonly string[],
  ) {}

  static async make(): Promise<StagedPackage> {
    const cache = join(root, 'node_modules/.cache');
    await mkdir(cache, { recursive: true });
    const directory = await mkdtemp(join(cache, 'package-test-'));
    try {
      return await StagedPackage.build(directory);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  private static async build(directory: string): Promise<StagedPackage> {
    for (const document of documents) {
      await cp(join(root, document), join(directory, document), { recursive: true });
    }
    // The types are checked where they are used: by the applications that install it.
    const tsc = [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--noCheck'];
    await mustRun(process.execPath, [...tsc, '--outDir', join(directory, 'dist')], { cwd: root });
    const { stdout } = await mustRun('npm', ['pack', '--json', '--ignore-scripts'], { cwd: directory });
    const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
    return new StagedPackage(directory, join(directory, filename), files.map(({ path }) => path).sort());
  }
}
