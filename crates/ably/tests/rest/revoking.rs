//! Revoking tokens, and what each answer means for the targets.

use ably::rest::{ErrorClass, Hosts, PublishError, Revocation, RevocationResult, Target, Targets};

use crate::server::{Act, Clock, PATIENT, SECRET, Server, TRANSIENT, bounded, client, http, refused};

const BASIC: &str = "QWJDZEVmLkdoSWpLbDpteVNlY3JldEtleTAxMjM0NTY3ODk=";

fn revocation() -> Revocation {
    let targets = vec![Target::ClientId("auth0|é".into()), Target::RevocationKey("job:7".into())];
    Revocation { targets: Targets::new(targets).unwrap(), issued_before_ms: 1_700_000_000_000 }
}

/// One revocation by one server that acts once.
async fn outcome(act: Act) -> Result<Vec<Option<RevocationResult>>, PublishError> {
    let clock = Clock::default();
    let server = Server::start(&clock, [act]).await;
    let client = client(Hosts::only(server.endpoint.clone()), PATIENT, &clock);
    bounded(client.revoke(&revocation())).await
}

/// Both targets revoked.
fn revoked() -> Act {
    let result =
        |target| format!(r#"{{"target":"{target}","issuedBefore":1700000000000,"appliesAt":1700000000000}}"#);
    let (client, key) = (result("clientId:auth0|é"), result("revocationKey:job:7"));
    let body = format!(r#"{{"successCount":2,"failureCount":0,"results":[{client},{key}]}}"#);
    Act::Say(http("201 Created", "", &body))
}

#[tokio::test]
async fn a_revocation_is_the_request_that_ably_documents() {
    let clock = Clock::default();
    let server = Server::start(&clock, [revoked()]).await;
    let client = client(Hosts::only(server.endpoint.clone()), PATIENT, &clock);
    assert_eq!(bounded(client.revoke(&revocation())).await, Ok(vec![Some(Ok(())), Some(Ok(()))]));

    let requests = server.requests();
    let (head, sent) = requests[0].split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("POST /keys/AbCdEf.GhIjKl/revokeTokens HTTP/1.1"));
    let headers: Vec<_> = lines.collect();
    for expected in
        ["x-ably-version: 6", &format!("authorization: Basic {BASIC}"), "content-type: application/json"]
    {
        assert!(headers.contains(&expected), "{expected} is not in {headers:?}");
    }
    assert_eq!(
        sent,
        r#"{"targets":["clientId:auth0|é","revocationKey:job:7"],"issuedBefore":1700000000000}"#
    );
}

#[tokio::test]
async fn another_host_revokes_where_the_first_cannot() {
    let clock = Clock::default();
    let first = Server::start(&clock, [refused(503, 50300)]).await;
    let second = Server::start(&clock, [revoked()]).await;
    let hosts = Hosts::with_fallbacks(first.endpoint.clone(), vec![second.endpoint.clone()]);
    let client = client(hosts, PATIENT, &clock);
    assert_eq!(bounded(client.revoke(&revocation())).await, Ok(vec![Some(Ok(())), Some(Ok(()))]));
    let body = |server: &Server| server.requests()[0].split_once("\r\n\r\n").unwrap().1.to_owned();
    assert_eq!(body(&first), body(&second));
}

#[tokio::test]
async fn what_fails_as_a_whole_is_classed_as_a_publish_is() {
    use ErrorClass::{BlamesAccess, BlamesMessage, Throttled};
    for (status, code, class) in [
        (400, 40003, BlamesMessage),
        (401, 40101, BlamesAccess),
        (401, 40163, BlamesAccess),
        (404, 40400, BlamesAccess),
        (429, 42910, Throttled { retry_after: None }),
        (500, 50000, TRANSIENT),
    ] {
        let error = outcome(refused(status, code)).await.unwrap_err();
        assert_eq!((error.class, error.status, error.code), (class, Some(status), Some(code)));
    }
    let broken = "HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"results\":";
    for act in [Act::Reset, Act::Say(broken.into())] {
        assert_eq!(outcome(act).await.unwrap_err().class, TRANSIENT);
    }
}

#[tokio::test]
async fn a_success_says_no_more_than_its_body() {
    let one = r#"{"results":[{"target":"revocationKey:job:7","appliesAt":1}]}"#;
    assert_eq!(outcome(Act::Say(http("201 Created", "", one))).await, Ok(vec![None, Some(Ok(()))]));
    for body in ["", "<html>", "{}", "[]"] {
        assert_eq!(outcome(Act::Say(http("200 OK", "", body))).await, Ok(vec![None, None]), "{body}");
    }
    let endless = Act::SayForEver(format!("HTTP/1.1 201 Created\r\n\r\n{}", " ".repeat(9000)));
    assert_eq!(outcome(endless).await, Ok(vec![None, None]));
}

#[tokio::test]
async fn what_is_refused_in_part_says_what_became_of_each_part() {
    let parts = r#"[{"target":"clientId:auth0|é","error":{"code":40001,"statusCode":400,"message":"no"}},
        {"target":"revocationKey:job:7","appliesAt":1}]"#;
    let body = format!(
        r#"{{"error":{{"code":40020,"statusCode":400,"message":"partly"}},"batchResponse":{parts}}}"#
    );
    let results = outcome(Act::Say(http("400 Bad Request", "", &body))).await.unwrap();
    let short: Vec<_> =
        results.iter().map(|result| result.as_ref().map(|result| result.as_ref().err())).collect();
    let [Some(Some(refused)), Some(None)] = &short[..] else { panic!("{short:?}") };
    assert_eq!((refused.class, refused.code), (ErrorClass::BlamesMessage, Some(40001)));
}

#[tokio::test]
async fn an_error_echoes_no_credentials() {
    let echo = |code| format!(r#"{{"code":{code},"message":"no: {SECRET} {BASIC} \n"}}"#);
    let whole = outcome(Act::Say(http("401 No", "", &format!(r#"{{"error":{}}}"#, echo(40101))))).await;
    let error = whole.unwrap_err();
    assert_eq!(error.to_string(), r"access refused, status 401, code 40101: no: (secret) (key) \n");
    let body = format!(r#"{{"results":[{{"target":"clientId:auth0|é","error":{}}}]}}"#, echo(40001));
    let parts = outcome(Act::Say(http("201 Created", "", &body))).await.unwrap();
    let error = parts[0].clone().unwrap().unwrap_err();
    assert_eq!(error.to_string(), r"message refused, status 400, code 40001: no: (secret) (key) \n");
    assert!(!format!("{error:?}").contains(SECRET));
}
