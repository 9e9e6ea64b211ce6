/*
 * h2_websocket.h - WebSocket over HTTP/2 to a server of HTTP/1, and the other way round: RFC 8441 and RFC 6455.
 *
 * HTTP/2 has no handshake keys; a server of HTTP/1 wants one, and proves that it has understood by answering it.
 * For a server of HTTP/2 lbd answers a client of HTTP/1.
 */
#ifndef LBD_PROXY_H2_WEBSOCKET_H
#define LBD_PROXY_H2_WEBSOCKET_H

#include "lbd/http/head.h"

enum { WEBSOCKET_KEY_SIZE = 24, WEBSOCKET_ACCEPT_SIZE = 28 };

/* base64 of 16 random bytes. */
void websocket_key_make(const uint64_t random[2], char key[WEBSOCKET_KEY_SIZE]);

/* What a server answers to it. */
void websocket_accept(const char key[WEBSOCKET_KEY_SIZE], char accept[WEBSOCKET_ACCEPT_SIZE]);

/* The request gets the key as a field; one that the client sent is left out.  False: no room for it. */
bool websocket_request(struct http_head *, const char key[WEBSOCKET_KEY_SIZE]);

/* A server's 101 becomes 200.  False: it does not answer the key. */
bool websocket_response(struct http_head *, const char key[WEBSOCKET_KEY_SIZE]);

/* The key among the lines of a request's head, as sent on; empty: there is none, or more than one, or it is none. */
struct str websocket_key(struct str head);

/* A server's 200 becomes 101, with the proof in that room. */
bool websocket_grant(struct http_head *, struct str key, char accept[WEBSOCKET_ACCEPT_SIZE]);

#endif
