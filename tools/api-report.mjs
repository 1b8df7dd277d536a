// node tools/api-report.mjs: what each entry of the package declares, as JSON. For each entry its `report`, the text that
// docs/api keeps, and `forgotten`: types that its declarations name, but that it does not export itself.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CompilerState, Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import ts from 'typescript';

const root = fileURLToPath(new URL('../', import.meta.url));
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { package: _, ...entries } = Object.fromEntries(
  Object.entries(exports).map(([path, { types }]) => [
    path === '.' ? 'index' : /^\.\/([a-z]+)/.exec(path)[1],
    types,
  ]),
);

// Outside of node_modules: what lies there counts as another package's.
const folder = mkdtempSync(join(tmpdir(), 'disco-api-'));
try {
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir');
  symlinkSync(join(root, 'package.json'), join(folder, 'package.json'));
  emitDeclarations();
  process.stdout.write(JSON.stringify(extract()));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The declarations of the build. Types are not checked here: `npm run typecheck` does that. */
function emitDeclarations() {
  const file = join(root, 'tsconfig.build.json');
  const { config } = ts.readConfigFile(file, ts.sys.readFile);
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, root, undefined, file);
  const outDir = join(folder, 'dist');
  const emitted = { ...options, outDir, noCheck: true, emitDeclarationOnly: true, sourceMap: false };
  ts.createProgram(fileNames, { ...emitted, inlineSources: false }).emit();
}

function extract() {
  const configs = Object.entries(entries).map(([name, types]) => [name, configOf(name, join(folder, types))]);
  const additionalEntryPoints = configs.map(([, config]) => config.mainEntryPointFilePath);
  const compilerState = CompilerState.create(configs[0][1], { additionalEntryPoints });
  assertHolds(compilerState.program);
  mkdirSync(join(folder, 'reports'));
  return Object.fromEntries(
    configs.map(([name, config]) => {
      const forgotten = [];
      const messageCallback = (message) => {
        if (message.messageId === 'ae-forgotten-export')
          forgotten.push(/"(\w+?)(_\d+)?"/.exec(message.text)[1]);
        else if (message.logLevel === 'error') throw new Error(`${name}: ${message.text}`);
        message.handled = true;
      };
      Extractor.invoke(config, { localBuild: true, compilerState, messageCallback });
      const report = readFileSync(config.reportFilePath, 'utf8');
      return [name, { report, forgotten }];
    }),
  );
}

/** Throws where a declaration does not hold by itself: it may name what is `@internal`, and so left out. */
function assertHolds(extracted) {
  const rootNames = extracted.getRootFileNames();
  const options = { ...extracted.getCompilerOptions(), skipLibCheck: false };
  const program = ts.createProgram({ rootNames, options, oldProgram: extracted });
  const ours = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(join(folder, 'dist')));
  const faults = ours.flatMap((file) => program.getSemanticDiagnostics(file));
  const lines = faults.map(
    ({ file, messageText }) => `${file.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
  );
  if (lines.length > 0) throw new Error(lines.join('\n'));
}

function configOf(name, mainEntryPointFilePath) {
  const files = Object.values(entries).map((types) => join(folder, types));
  const none = { default: { logLevel: 'none' } };
  return ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(folder, 'package.json'),
    configObject: {
      projectFolder: folder,
      mainEntryPointFilePath,
      newlineKind: 'lf',
      compiler: {
        overrideTsconfig: {
          extends: join(root, 'tsconfig.json'),
          compilerOptions: { paths: {}, types: ['node'], skipLibCheck: true },
          files,
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder: join(folder, 'reports'),
        reportTempFolder: join(folder, 'drafts'),
      },
      messages: {
        compilerMessageReporting: { default: { logLevel: 'error' } },
        extractorMessageReporting: { ...none, 'ae-forgotten-export': { logLevel: 'warning' } },
        tsdocMessageReporting: none,
      },
    },
  });
}
