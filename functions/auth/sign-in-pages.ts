import { html } from "hono/html";
import { type Markup, page } from "../shared/html.ts";
import type { Prompt } from "./sign-in-ways.ts";

interface AddressPage {
  readonly returnTo: string;
  readonly prompt: Prompt;
  /** Was an address given that no provider vouches for? */
  readonly unknown: boolean;
}

/** Asks who somebody is, as far as it takes to send them to their provider. What is typed is neither kept nor shown again. */
export function addressPage({ returnTo, prompt, unknown }: AddressPage): Markup {
  const body = html`${unknown ? html`<p>No identity provider is set up for that address.</p>` : ""}
    <form class="card row" method="post" action="/auth/login">
      <input type="hidden" name="return_to" value="${returnTo}" />
      ${prompt === undefined ? "" : html`<input type="hidden" name="prompt" value="${prompt}" />`}
      <label>
        Your e-mail address
        <input name="email" type="email" maxlength="254" autocomplete="username" required autofocus />
      </label>
      <button type="submit">Continue</button>
      <span class="muted">It tells where you sign in, and is not kept.</span>
    </form>`;
  return page({ title: "Sign in", principal: undefined, body });
}

/**
 * On the way to the provider. A page, because `form-action` forbids that a form's answer leads to another origin.
 * @param why the person is sent there again
 */
export function onwardPage(href: string, why?: string): Markup {
  const body = html`${why === undefined ? "" : html`<p>${why}</p>`}
    <p><a href="${href}">Continue to your identity provider</a></p>`;
  return page({ title: "Sign in", principal: undefined, body });
}

/** Asks before a sign-in that this browser did not begin, so that no page can sign somebody in as another person unawares. */
export function confirmationPage(name: string, action: string): Markup {
  const body = html`<p>Your identity provider sent you here to sign in as <b>${name}</b>.</p>
    <form class="row" method="post" action="${action}">
      <button type="submit">Sign in</button>
    </form>
    <p class="muted">If this is not you, or you did not mean to come here, close this page.</p>`;
  return page({ title: "Sign in?", principal: undefined, body });
}

export function signedOutPage(): Markup {
  const body = html`<p>
      You have signed out of Sallyport. Passes that you hold live on until they expire or are revoked.
    </p>
    <p><a href="/auth/login">Sign in again</a>, or <a href="/auth/login?prompt=login">as someone else</a>.</p>`;
  return page({ title: "Signed out", principal: undefined, body });
}
