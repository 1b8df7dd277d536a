/** What a source file says of itself. */
export interface Facts {
  /** What the file belongs to, where the language has such a clause. */
  readonly package?: string;
  readonly imports: readonly string[];
  readonly functions: readonly string[];
  readonly lines: number;
}

/** How a language is read, by expressions over code whose comments are blank; `code` has its strings blank, too. */
interface Language {
  /** Strings and comments, the comments named `comment`. */
  readonly tokens: RegExp;
  readonly package?: RegExp;
  imports(text: string): string[];
  readonly functions: RegExp;
}

const all = (text: string, expression: RegExp) =>
  [...text.matchAll(expression)].map((match) => match.slice(1).find(Boolean)!);

const go: Language = {
  tokens: /(?<comment>\/\*[\s\S]*?\*\/|\/\/[^\n]*)|`[^`]*`|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'/g,
  package: /^[ \t]*package[ \t]+(\w+)/m,
  imports: (text) =>
    all(text, /^[ \t]*import\b\s*(\([^)]*\)|[\w.]*[ \t]*(?:"[^"\n]*"|`[^`\n]*`))/gm).flatMap((block) =>
      all(block, /"([^"\n]+)"|`([^`\n]+)`/g),
    ),
  functions: /^func[ \t]+((?:\([^)]*\)[ \t]*)?\w+)/gm,
};

const script: Language = {
  tokens:
    /(?<comment>\/\*[\s\S]*?\*\/|\/\/[^\n]*)|`(?:\\.|[^`\\])*`|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g,
  imports: (text) =>
    all(
      text,
      /^[ \t]*(?:import|export)\b[^'";]*['"]([^'"\n]+)['"]|\b(?:require|import)\(\s*['"]([^'"\n]+)['"]/gm,
    ),
  functions: /^[ \t]*(?:export[ \t]+)?(?:default[ \t]+)?(?:async[ \t]+)?function\b[ \t]*\*?[ \t]*(\w+)/gm,
};

const python: Language = {
  tokens: /(?<comment>#[^\n]*)|"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g,
  imports: (text) => all(text, /^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import\b|import[ \t]+([\w.]+))/gm),
  functions: /^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)/gm,
};

const scripts = ['ts', 'tsx', 'mts', 'cts', 'js', 'jsx', 'mjs', 'cjs'];
const languages = new Map<string, Language>([
  ['go', go],
  ['py', python],
]);
for (const extension of scripts) languages.set(extension, script);

/** The facts of a file; of a language that is not known the lines alone. */
export function factsOf(text: string, extension: string): Facts {
  const language = languages.get(extension);
  const lines = text === '' ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (!language) return { imports: [], functions: [], lines };
  const uncommented = text.replace(language.tokens, (token, comment?: string) =>
    comment ? blank(token) : token,
  );
  const code = text.replace(language.tokens, blank);
  const clause = language.package?.exec(uncommented)?.[1];
  return {
    ...(clause !== undefined && { package: clause }),
    imports: [...new Set(language.imports(uncommented))],
    functions: all(code, language.functions),
    lines,
  };
}

/** Spaces instead of the token, the ends of its lines kept. */
function blank(token: string): string {
  return token.replace(/[^\n]/g, ' ');
}
