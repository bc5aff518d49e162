const STYLE = `body{margin:0;min-height:100vh;display:grid;place-items:center;background:#f6f7f9;color:#1b2430;font:16px/1.5 system-ui,sans-serif}
main{width:min(22rem,90vw);padding:1.5rem;background:#fff;border:1px solid #dde2e9;border-radius:.5rem}
h1{margin:0 0 .25rem;font-size:1.25rem}p{margin:0 0 1rem;color:#5c6878}.error{color:#a3261d}
label{display:block;margin-bottom:.75rem;font-weight:600}
input{display:block;width:100%;box-sizing:border-box;margin-top:.25rem;padding:.45rem .6rem;font:inherit;border:1px solid #c5ccd6;border-radius:.4rem}
button{width:100%;padding:.5rem;font:inherit;font-weight:600;color:#fff;background:#14507a;border:0;border-radius:.4rem;cursor:pointer}`;

/** The headers of every page of the embedded provider. No script, nothing from elsewhere. */
export const LOGIN_PAGE_HEADERS: Readonly<Record<string, string>> = {
  "Content-Type": "text/html; charset=utf-8",
  // No form-action: browsers apply it to the redirect that leads back to the relying party, which is another origin.
  "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-store",
};

/**
 * The provider's own log-in form.
 * @param action where it is sent: a path of ours
 * @param error  what was wrong with the attempt before
 * @param user   what was typed as the user then
 */
export function loginPage(action: string, error = "", user = ""): string {
  return document(
    "Sign in",
    `<p>This is the identity provider of your local Sallyport.</p>
      ${error === "" ? "" : `<p class="error" role="alert">${escape(error)}</p>`}
      <form method="post" action="${escape(action)}">
        <label>User <input name="user" value="${escape(user)}" autocomplete="username" autofocus required></label>
        <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
        <button type="submit">Sign in</button>
      </form>`,
  );
}

/** A page that says what went wrong, in plain words. */
export function loginErrorPage(message: string): string {
  return document("Sign-in failed", `<p class="error">${escape(message)}</p>`);
}

function document(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title}</title>
    <style>${STYLE}</style>
  </head>
  <body>
    <main>
      <h1>${title}</h1>
      ${body}
    </main>
  </body>
</html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}
