import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, symlinkSync } from 'node:fs';
import { factsOf } from '../../sample/09-contexter/languages.js';
import { Tree } from './go-tree.js';
import { runSample, type SampleResult } from './run-sample.js';

const source = `/* package no
func No() {} */
package shop // the shop

import (
\t"fmt"
\tstr "strings"
\t_ \`net/http/pprof\`
)
import "os"

// func Commented() {}
func Open(door string) error { return fmt.Errorf("func Quoted() {}") }

func (s *Shop) Close() {
\traw := \`
func Raw() {}
\`
\t_ = func() string { return str.ToUpper(raw) + os.Args[0] + string('"') }
}
func Generic[T any](of T) T { return of }`;

describe('the facts of a file', () => {
  it('are read from Go, whatever stands in its comments and strings', () => {
    expect(factsOf(source, 'go')).toEqual({
      package: 'shop',
      imports: ['fmt', 'strings', 'net/http/pprof', 'os'],
      functions: ['Open', '(s *Shop) Close', 'Generic'],
      lines: 21,
    });
    expect(factsOf('', 'go')).toEqual({ imports: [], functions: [], lines: 0 });
  });

  it('are read from other languages', () => {
    const script = `import { a } from './a.js';\nexport * from 'b';\n// import 'no';\nexport async function run() {}\n`;
    expect(factsOf(script, 'ts')).toEqual({ imports: ['./a.js', 'b'], functions: ['run'], lines: 4 });
    const python =
      'import os\nfrom a.b import c\n"""\ndef no(): pass\n"""\nclass A:\n    def b(self): pass\n';
    expect(factsOf(python, 'py')).toEqual({ imports: ['os', 'a.b'], functions: ['b'], lines: 7 });
    expect(factsOf('a\nb', 'sql')).toEqual({ imports: [], functions: [], lines: 2 });
  });
});

describe('sample contexter, on a tree with everything that can be wrong', () => {
  const tree = new Tree();
  const elsewhere = new Tree();
  let result: SampleResult;
  let context: string;

  beforeAll(async () => {
    tree.write('main.go', source);
    tree.write('a/b/deep.go', 'package b\n');
    tree.write('a/page.ts', 'export function page() {}\n');
    tree.write('vendor/lib/theirs.go', 'package theirs\n');
    tree.write('web/node_modules/x/x.go', 'package x\n');
    tree.write('binary.go', Buffer.from([0x70, 0, 0x71]));
    tree.write('huge.go', `package huge\n${'// more\n'.repeat(1_000)}`);
    tree.write('notes.md', '# not wanted\n');
    tree.write('odd `name\n.go', 'package odd\n');
    symlinkSync('..', tree.path('a', 'up'));
    symlinkSync('self', tree.path('self'));
    symlinkSync('nowhere.go', tree.path('broken.go'));
    symlinkSync('main.go', tree.path('twice.go'));
    elsewhere.write('shared/far.go', 'package far\n');
    symlinkSync(elsewhere.path('shared'), elsewhere.path('shared', 'again'));
    symlinkSync(elsewhere.path('shared'), tree.path('linked'));
    execFileSync('mkfifo', [tree.path('pipe.go')]);
    makeUnreadable(tree);
    const args = [tree.root, '--ext', 'go,ts', '--max-bytes', '2000', '--out', tree.path('context.md')];
    result = await runSample('contexter', {}, args);
    context = readFileSync(tree.path('context.md'), 'utf8');
  }, 120_000);

  afterAll(() => {
    tree.remove();
    elsewhere.remove();
  });

  /** Root may read everything, save what the kernel itself refuses. */
  function makeUnreadable(of: Tree): void {
    if (process.getuid?.() === 0) {
      symlinkSync('/proc/self/mem', of.path('secret.go'));
    } else {
      of.write('secret.go', 'package secret\n');
      chmodSync(of.path('secret.go'), 0);
    }
  }

  it('ends with the right totals', () => {
    expect(result.output).toContain(
      '5 files, 4 packages, 4 functions, 25 lines, 1 binary, 2 vendored, 7 problems',
    );
    expect(result.code).toBe(0);
  });

  it.each([
    ['a/up', 'symlink loop'],
    ['self', 'symlink loop'],
    ['linked/again', 'symlink loop'],
    ['broken.go', 'unreadable: ENOENT'],
    ['huge.go', 'too large: 8013 bytes'],
    ['pipe.go', 'not a regular file'],
    ['secret.go', 'unreadable: E'],
  ])('reports %s: %s', (path, problem) => {
    expect(result.output).toContain(`${path}: ${problem}`);
    expect(context).toContain(`- \`${path}\`: ${problem}`);
  });

  it('tells the tree and each file in Markdown', () => {
    const [, drawn] = /## Tree\n\n```\n([\s\S]*?)\n```/.exec(context)!;
    const lines = [
      'a/',
      '  b/',
      '    deep.go',
      '  page.ts',
      'linked/',
      '  far.go',
      'main.go',
      'odd  name .go',
    ];
    expect(drawn.split('\n')).toEqual(lines);
    expect(context).toContain(
      '### `main.go`\n\n- package: `shop`\n- imports: `fmt`, `strings`, `net/http/pprof`, `os`\n- functions: `Open`, `(s *Shop) Close`, `Generic`\n- lines: 21',
    );
    expect(context).not.toContain('theirs');
    expect(context).not.toContain('twice');
  });
});
