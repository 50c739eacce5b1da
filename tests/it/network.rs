//! The way to GitHub: own certificate authorities, and proxies.

use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::SecretString;
use singletrack::github::{Access, Authorities, BaseUrl, Network, Proxies, Source};
use singletrack::process::clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::stand_in::{StandIn, World};
use crate::support::TOKEN;

const CA: &[u8] = include_bytes!("../keys/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("../keys/server.pem");
const KEY: &[u8] = include_bytes!("../keys/server-key.pem");

async fn github() -> StandIn {
    let mut world = World::generate(11, 1, 1);
    world.token = Some(TOKEN.to_owned());
    StandIn::start(world).await
}

/// Puts TLS before the stand-in, with a certificate of the tests' own authority.
async fn with_tls(github: &StandIn) -> String {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let target = host(github);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    github.world(|world| world.set_base_url(&base));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, target) = (acceptor.clone(), target.clone());
            tokio::spawn(async move {
                let mut inside = acceptor.accept(stream).await?;
                copy_bidirectional(&mut inside, &mut TcpStream::connect(target).await?).await
            });
        }
    });
    base
}

fn host(github: &StandIn) -> String {
    github.base_url().trim_start_matches("http://").to_owned()
}

/// A proxy that passes everything on, and keeps what it could read.
struct Proxy {
    address: String,
    read: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let read = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&read);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass_on(stream, Arc::clone(&kept)));
            }
        });
        Self { address, read }
    }

    fn read(&self) -> String {
        String::from_utf8_lossy(&self.read.lock().unwrap()).into_owned()
    }
}

async fn pass_on(mut client: TcpStream, kept: Arc<Mutex<Vec<u8>>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    kept.lock().unwrap().extend_from_slice(&head);
    let text = String::from_utf8_lossy(&head).into_owned();
    let target = text.split_whitespace().nth(1).unwrap_or_default();
    let whole = target.strip_prefix("http://");
    let host = whole.unwrap_or(target).split('/').next().unwrap_or_default();
    let mut server = TcpStream::connect(host).await?;
    match whole {
        Some(_) => server.write_all(&head).await?,
        None => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?,
    }
    let ((mut from, mut to), (mut back, mut answers)) = (client.split(), server.split());
    let there = async {
        let mut part = [0; 4096];
        loop {
            let length = from.read(&mut part).await?;
            if length == 0 {
                return answers.shutdown().await;
            }
            kept.lock().unwrap().extend_from_slice(&part[..length]);
            answers.write_all(&part[..length]).await?;
        }
    };
    tokio::try_join!(there, tokio::io::copy(&mut back, &mut to)).map(|_| ())
}

/// Asks for the repository by this way, and says why it did not come.
async fn get(base: &str, network: Network) -> Result<(), String> {
    let base = BaseUrl::parse(base, false).unwrap();
    let access = Access { network, ..Access::with_token(base, SecretString::from(TOKEN)) };
    let clock = Clock::starting_at(chrono::DateTime::UNIX_EPOCH);
    let source = Source::connect(&access, clock).unwrap();
    let got = source.get("/repos/acme/widgets-0", None).await;
    got.map(|_| ()).map_err(|error| error.to_string())
}

fn by_way_of(http: &str, https: &str, no: &str) -> Network {
    let proxies = Proxies::new(http, https, no).unwrap();
    Network { authorities: Authorities::from_pem(CA).unwrap(), proxies }
}

#[tokio::test]
async fn an_own_authority_is_believed_only_where_it_is_configured() {
    let github = github().await;
    let base = with_tls(&github).await;
    let error = get(&base, Network::default()).await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    assert!(github.requests().is_empty());
    get(&base, by_way_of("", "", "")).await.unwrap();
    assert!(github.requests()[0].token_ok);
}

#[tokio::test]
async fn a_proxy_passes_on_what_is_asked_without_tls_unless_the_host_is_excepted() {
    let (github, proxy) = (github().await, Proxy::start().await);
    let login = format!("http://user:secret@{}", proxy.address);
    get(&github.base_url(), by_way_of(&login, "", "127.0.0.1")).await.unwrap();
    get(&github.base_url(), by_way_of("", &login, "")).await.unwrap();
    assert_eq!(proxy.read(), "");
    get(&github.base_url(), by_way_of(&login, "", "other.example")).await.unwrap();
    let asked = format!("GET {}/repos/acme/widgets-0 HTTP/1.1\r\n", github.base_url());
    assert!(proxy.read().starts_with(&asked), "{}", proxy.read());
    assert!(proxy.read().to_lowercase().contains("proxy-authorization: basic dxnlcjpzzwnyzxq="));
    assert_eq!(github.requests().len(), 3);
}

#[tokio::test]
async fn a_tunnel_carries_what_is_asked_with_tls_and_shows_the_proxy_no_token() {
    let (github, proxy) = (github().await, Proxy::start().await);
    let base = with_tls(&github).await;
    let login = format!("http://user:secret@{}", proxy.address);
    get(&base, by_way_of("", &login, "127.0.0.1")).await.unwrap();
    assert_eq!(proxy.read(), "");
    get(&base, by_way_of("", &login, "")).await.unwrap();
    let place = base.trim_start_matches("https://");
    assert!(proxy.read().starts_with(&format!("CONNECT {place} HTTP/1.1\r\n")));
    assert!(proxy.read().contains("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"));
    assert!(!proxy.read().contains(TOKEN) && !proxy.read().contains("Bearer"));
    assert!(github.requests().iter().all(|request| request.token_ok));
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_an_error_without_its_password() {
    let github = github().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let login = format!("http://user:marked@{closed}");
    let error = get(&github.base_url(), by_way_of(&login, "", "")).await.unwrap_err();
    assert!(!error.contains("marked"), "{error}");
    assert!(github.requests().is_empty());
}
