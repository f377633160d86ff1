//! The client against servers on loopback, with a policy that writes down what it was asked.

use cordon_net::{Admission, Ask, Client, Error, Limits, Options, Policy, Report, Request};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::net::IpAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[derive(Default)]
struct Judge {
    asked: Mutex<Vec<String>>,
    done: Mutex<Vec<Report>>,
    refused: Mutex<Vec<&'static str>>,
    limits: Limits,
    deny_path: &'static str,
    deny_addresses: bool,
}

impl Policy for Judge {
    fn admit(&self, ask: &Ask) -> Option<Admission> {
        self.asked.lock().unwrap().push(format!("{} {}{}", ask.method, ask.host, ask.path));
        let denied = !self.deny_path.is_empty() && ask.path.starts_with(self.deny_path);
        (!denied).then(|| Admission { limits: self.limits.clone(), headers: Vec::new(), has_rate: false })
    }
    fn addresses(&self, _: &Ask, found: &[IpAddr]) -> Vec<IpAddr> {
        if self.deny_addresses { Vec::new() } else { found.to_vec() }
    }
    fn refused(&self, _: Option<&Ask>, _: &str, rule: &'static str) {
        self.refused.lock().unwrap().push(rule);
    }
    fn done(&self, _: &Ask, report: &Report) {
        self.done.lock().unwrap().push(*report);
    }
}

/// Answers every request on every connection with what `answer` makes of its first bytes.
async fn serve(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> (u16, Arc<Mutex<(usize, Vec<String>)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen: Arc<Mutex<(usize, Vec<String>)>> = Arc::default();
    let (answer, kept) = (Arc::new(answer), seen.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            kept.lock().unwrap().0 += 1;
            let (answer, kept) = (answer.clone(), kept.clone());
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                    let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                    let reply = answer(&text);
                    kept.lock().unwrap().1.push(text);
                    if stream.write_all(reply.as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (port, seen)
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async fn get(client: &Client, judge: &Arc<Judge>, url: &str) -> Result<(u16, usize), Error> {
    let policy: Arc<dyn Policy> = judge.clone();
    let response = client.send(&policy, Request::new("GET", url)).await?;
    let status = response.status().as_u16();
    Ok((status, response.into_body().collect().await?.to_bytes().len()))
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let (port, seen) = serve(|_| OK.into()).await;
    let (client, judge) = (Client::new(Options::default()), Arc::new(Judge::default()));
    for _ in 0..3 {
        assert_eq!(get(&client, &judge, &format!("http://127.0.0.1:{port}/a?b")).await, Ok((200, 2)));
    }
    let seen = seen.lock().unwrap();
    assert_eq!((seen.0, seen.1.len()), (1, 3));
    assert_eq!(seen.1[0], format!("GET /a?b HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n"));
    assert_eq!(judge.asked.lock().unwrap().as_slice(), ["GET 127.0.0.1/a"; 3]);
    assert_eq!(judge.done.lock().unwrap().iter().map(|r| (r.status, r.bytes_down)).collect::<Vec<_>>(), [(200, 2); 3]);
}

#[tokio::test]
async fn connections_are_their_owners_alone() {
    let (port, seen) = serve(|_| OK.into()).await;
    let judge = Arc::new(Judge::default());
    for _ in 0..2 {
        let client = Client::new(Options::default());
        assert_eq!(get(&client, &judge, &format!("http://127.0.0.1:{port}/")).await, Ok((200, 2)));
    }
    assert_eq!(seen.lock().unwrap().0, 2);
}

#[tokio::test]
async fn what_is_denied_opens_no_connection() {
    let (port, seen) = serve(|_| OK.into()).await;
    let client = Client::new(Options::default());
    let judge = Arc::new(Judge { deny_path: "/secret", ..Judge::default() });
    let url = |path| format!("http://127.0.0.1:{port}{path}");
    assert_eq!(get(&client, &judge, &url("/secret/x")).await, Err(Error::Denied));
    let judge = Arc::new(Judge { deny_addresses: true, ..Judge::default() });
    assert_eq!(get(&client, &judge, &url("/")).await, Err(Error::AddressDenied));
    assert_eq!(get(&client, &judge, "http://a@b/").await, Err(Error::Uri));
    assert_eq!(judge.refused.lock().unwrap().as_slice(), [cordon_net::rule::URL]);
    assert_eq!(seen.lock().unwrap().0, 0);
}

#[tokio::test]
async fn attack_119_each_hop_of_a_redirect_is_asked_about_and_credentials_stay_behind() {
    let (other, elsewhere) = serve(|_| OK.into()).await;
    let (port, seen) = serve(move |text| {
        let location = match text {
            t if t.starts_with("GET /same") => "/next".into(),
            t if t.starts_with("GET /next") => format!("http://127.0.0.1:{other}/end"),
            t if t.starts_with("GET /file") => "file:///etc/passwd".into(),
            t if t.starts_with("GET /secret") => "/secret".into(),
            _ => "/loop".into(),
        };
        format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
    })
    .await;
    let client = Client::new(Options::default());
    let judge = Arc::new(Judge { deny_path: "/end", ..Judge::default() });
    let policy: Arc<dyn Policy> = judge.clone();
    let to = |path: &str| {
        let mut request = Request::new("GET", &format!("http://127.0.0.1:{port}{path}"));
        request.headers.insert("authorization", "mine".parse().unwrap());
        request.headers.insert("cookie", "mine".parse().unwrap());
        request
    };
    assert_eq!(client.send_following(&policy, to("/same"), 5).await.err(), Some(Error::Denied));
    assert_eq!(judge.asked.lock().unwrap().len(), 3);
    assert_eq!(client.send_following(&policy, to("/file"), 5).await.err(), Some(Error::Uri));
    assert_eq!(client.send_following(&policy, to("/loop"), 5).await.err(), Some(Error::Loop));
    assert_eq!(elsewhere.lock().unwrap().0, 0);
    let open: Arc<dyn Policy> = Arc::new(Judge::default());
    assert!(client.send_following(&open, to("/same"), 5).await.is_ok());
    assert!(seen.lock().unwrap().1.iter().all(|text| text.contains("authorization: mine")));
    assert!(!elsewhere.lock().unwrap().1[0].contains("mine"));
}

#[tokio::test]
async fn attack_127_bodies_and_headers_have_an_end() {
    let (port, _) = serve(|text| match text {
        t if t.starts_with("GET /body") => {
            format!("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{}", "x".repeat(9999))
        }
        _ => format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-A: b\r\n".repeat(50)),
    })
    .await;
    let limits = Limits { response_bytes: 1000, header_count: 20, ..Limits::default() };
    let judge = Arc::new(Judge { limits, ..Judge::default() });
    let client = Client::new(Options::default());
    let url = |path| format!("http://127.0.0.1:{port}{path}");
    assert_eq!(get(&client, &judge, &url("/body")).await, Err(Error::ResponseBodySize(1000)));
    assert_eq!(get(&client, &judge, &url("/headers")).await, Err(Error::ResponseHeaderSection));
}

fn openssl(folder: &std::path::Path, words: &str) {
    let done = Command::new("openssl").args(words.split(' ')).current_dir(folder).output().expect("openssl");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test]
async fn http_2_by_alpn_shares_a_connection() {
    let folder = std::env::temp_dir().join(format!("cordon-net-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    openssl(
        &folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x \
         -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem",
    );
    let pem = std::fs::read(folder.join("cert.pem")).unwrap();
    let certificate = CertificateDer::from_pem_slice(&pem).unwrap().into_owned();
    let key = PrivateKeyDer::from_pem_slice(&std::fs::read(folder.join("key.pem")).unwrap()).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(Mutex::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            *counted.lock().unwrap() += 1;
            let stream = acceptor.accept(stream).await.unwrap();
            let service = service_fn(|_| async {
                Ok::<_, Error>(http::Response::new(Full::new(bytes::Bytes::from_static(b"hello"))))
            });
            tokio::spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    let options = Options { extra_roots: vec![pem], system_roots: false, ..Options::default() };
    let (client, judge) = (Client::new(options), Arc::new(Judge::default()));
    for _ in 0..3 {
        assert_eq!(get(&client, &judge, &format!("https://127.0.0.1:{port}/")).await, Ok((200, 5)));
    }
    assert_eq!(*connections.lock().unwrap(), 1);
}
