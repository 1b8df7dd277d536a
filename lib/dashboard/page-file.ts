import { pageTexts } from './page-texts.js';

/** A file of the page. */
export interface PageFile {
  readonly type: string;
  readonly text: string;
}

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
};

/** What the page's files are sent with: nothing of elsewhere is loaded, run or sent to. */
export const pageHeaders = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'cache-control': 'no-cache',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
} as const;

/** Undefined for a file that the page does not have. */
export function pageFileOf(name: string): PageFile | undefined {
  if (!Object.hasOwn(pageTexts, name)) return undefined;
  return { type: types[name.slice(name.lastIndexOf('.') + 1)], text: pageTexts[name] };
}
